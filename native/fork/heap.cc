#include "heap.h"

#include <sys/mman.h>

#include "quiet.h"

namespace truefork::fork {

using quiet::system_call;

void copied_heap::lock() noexcept {
  uint32_t expected = 0;
  if (__atomic_compare_exchange_n(&lock_, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(&lock_, 2, __ATOMIC_ACQUIRE) != 0) quiet::futex_wait(&lock_, 2);
}

void copied_heap::unlock() noexcept {
  if (__atomic_exchange_n(&lock_, 0, __ATOMIC_RELEASE) == 2) quiet::futex_wake_all(&lock_);
}

const memory_range* copied_heap::next_range(uint64_t address) const noexcept {
  size_t low = 0;
  size_t high = ranges_.count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (ranges_.items[middle].end <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < ranges_.count ? &ranges_.items[low] : nullptr;
}

void copied_heap::add(memory_range range) noexcept {
  // Everything from the first that touches the new range to the last becomes one with it.
  const memory_range* const touching = next_range(range.start == 0 ? 0 : range.start - 1);
  const size_t first = touching == nullptr ? ranges_.count : static_cast<size_t>(touching - ranges_.items);
  size_t last = first;
  while (last < ranges_.count && ranges_.items[last].start <= range.end) ++last;
  if (first < last) {
    if (ranges_.items[first].start < range.start) range.start = ranges_.items[first].start;
    if (ranges_.items[last - 1].end > range.end) range.end = ranges_.items[last - 1].end;
    ranges_.items[first] = range;
    ranges_.remove(first + 1, last);
  } else {
    // Without room the page stays unknown, and a fork then reads smaps again.
    complete_ = ranges_.insert(first, range) == 0 && complete_;
  }
}

void copied_heap::remove(memory_range range) noexcept {
  const memory_range* const overlapping = next_range(range.start);
  if (overlapping == nullptr || overlapping->start >= range.end) return;
  auto first = static_cast<size_t>(overlapping - ranges_.items);
  if (overlapping->start < range.start && overlapping->end > range.end) {  // a hole in the middle
    const memory_range tail{range.end, overlapping->end};
    ranges_.items[first].end = range.start;
    complete_ = ranges_.insert(first + 1, tail) == 0 && complete_;
    return;
  }
  if (ranges_.items[first].start < range.start) ranges_.items[first++].end = range.start;
  size_t last = first;
  while (last < ranges_.count && ranges_.items[last].end <= range.end) ++last;
  if (last < ranges_.count && ranges_.items[last].start < range.end) ranges_.items[last].start = range.end;
  ranges_.remove(first, last);
}

int copied_heap::advise(int advice) noexcept {
  int failure = 0;
  for (const memory_range& range : ranges_) {
    const long outcome =
        system_call(SYS_madvise, static_cast<long>(range.start), static_cast<long>(range.end - range.start), advice);
    // Unmapped by a call that no hook sees: what is gone needs no copy.
    if (outcome != 0 && outcome != -ENOMEM) failure = static_cast<int>(outcome);
  }
  return failure;
}

int copied_heap::begin() noexcept {
  lock();
  const int failure = advise(MADV_DOFORK);
  if (failure != 0) end();
  return failure;
}

void copied_heap::end() noexcept {
  advise(MADV_DONTFORK);
  unlock();
}

}  // namespace truefork::fork
