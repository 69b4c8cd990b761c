#include "owners.h"

#include "locks_glibc.h"
#include "proc_text.h"
#include "record.h"

namespace truefork::fork {

namespace {

using quiet::page_size;
using quiet::system_call;

constexpr size_t block_size = 128;

// Where a thread of the parent has its tid in the child, by a table with room to spare: most words of memory are
// no tid, and the first look must tell.
class tid_map {
 public:
  explicit tid_map(const thread_table& threads) noexcept : threads_(threads) {
    mark(threads.self);
    for (size_t i = 0; i < threads.count; ++i) mark(threads.slots[i].tid);
  }

  // Whether any word of a block lies between the lowest and the highest tid: nearly all blocks are done with by that,
  // at the speed of memory.
  TRUEFORK_READS_ANY_MEMORY bool may_occur_in(uint64_t block) const noexcept {
    using words = int32_t __attribute__((vector_size(16), may_alias));
    using halves = int64_t __attribute__((vector_size(16)));
    const auto* const items = reinterpret_cast<const words*>(block);
    words found{};
    for (size_t i = 0; i < block_size / sizeof(words); ++i) found |= (items[i] >= lowest_) & (items[i] <= highest_);
    const auto either = (halves)found;
    return (either[0] | either[1]) != 0;
  }

  bool may_contain(uint32_t value) const noexcept { return (bits_[(value >> 6) & 63] >> (value & 63) & 1) != 0; }

  // The new tid, or 0 for a word that is no thread's.
  int32_t find(uint32_t tid, int32_t self_now) const noexcept {
    if (tid == static_cast<uint32_t>(threads_.self)) return self_now;
    for (size_t i = 0; i < threads_.count; ++i) {
      const thread_slot& slot = threads_.slots[i];
      if (static_cast<uint32_t>(slot.tid) != tid) continue;
      if (slot.state == static_cast<uint32_t>(slot_state::stopped)) return *slot.tid_address;
    }
    return 0;
  }

 private:
  void mark(pid_t tid) noexcept {
    bits_[(static_cast<uint32_t>(tid) >> 6) & 63] |= uint64_t{1} << (tid & 63);
    if (tid < lowest_) lowest_ = tid;
    if (tid > highest_) highest_ = tid;
  }

  const thread_table& threads_;
  pid_t lowest_ = INT_MAX;
  pid_t highest_ = 0;
  uint64_t bits_[64]{};
};

struct span {
  uint64_t start;
  uint64_t end;
};

template <typename Lock>
bool rewrite_at(uint64_t word, size_t owner_offset, span within, lock_kind kind, int32_t tid) noexcept {
  const uint64_t start = word - owner_offset;
  if (start < within.start || start + sizeof(Lock) > within.end) return false;
  auto lock = quiet::read_at<Lock>(start);
  if (!lock.is_held()) return false;
  note_lock(start, kind, quiet::read_at<int32_t>(word), tid);
  lock.set_owner(tid);
  quiet::write_at(start, lock);
  return true;
}

TRUEFORK_READS_ANY_MEMORY size_t rewrite_block(uint64_t block, span within, const tid_map& tids,
                                               int32_t self) noexcept {
  size_t rewritten = 0;
  // Locks are aligned to 8, and so is the owner in either kind.
  for (uint64_t word = block; word < block + block_size; word += 8) {
    const uint32_t value = *reinterpret_cast<const uint32_t*>(word);
    if (!tids.may_contain(value)) continue;
    const int32_t tid = tids.find(value, self);
    if (tid == 0) continue;
    if (rewrite_at<glibc_mutex>(word, offsetof(glibc_mutex, owner), within, lock_kind::mutex, tid) ||
        rewrite_at<glibc_rwlock>(word, offsetof(glibc_rwlock, writer), within, lock_kind::rwlock, tid)) {
      ++rewritten;
    }
  }
  return rewritten;
}

int rewrite_span(span within, owner_table& owners, const tid_map& tids, int32_t self) noexcept {
  page_run run{};
  int found = 0;
  owners.pages.begin(within.start, within.end);
  while ((found = owners.pages.next(run)) == 1) {
    for (uint64_t block = run.start; block < run.end; block += block_size) {
      quiet::prefetch(block + page_size);  // the processor's own look ahead ends with the page
      if (tids.may_occur_in(block)) owners.rewritten += rewrite_block(block, within, tids, self);
    }
  }
  return found;
}

// "7f00-7f10 rw-p ...": the next private writable range, or false at the end.
bool next_writable(const char*& line, span& range) noexcept {
  while (*line != '\0') {
    range.start = quiet::parse_number(line, 16);
    ++line;
    range.end = quiet::parse_number(line, 16);
    const bool wanted = quiet::starts_with(line, " rw") && line[4] == 'p';
    while (*line != '\0' && *line != '\n') ++line;
    if (*line == '\n') ++line;
    if (wanted) return true;
  }
  return false;
}

// A thread that waits for a mutex of this kind has loaded its tid already; pthread_mutex_lock.c.
bool waits_for_owned_mutex(const thread_slot& slot, const thread_table& threads) noexcept {
  const auto [inside, number, argument] = quiet::interrupted_system_call(*slot.stopped_at);
  constexpr uint64_t lowest_address = 1 << 22;  // below may be pids or descriptors, where the number is lost
  if (!inside || argument < lowest_address || (number != -1 && number != SYS_futex)) return false;
  // The argument needn't be an address that can be read: mincore(2) tells of both its pages.
  const uint64_t page = argument & ~(page_size - 1);
  unsigned char present[2];
  if (argument % 4 != 0 || system_call(SYS_mincore, static_cast<long>(page), 2 * page_size, (long)present) != 0) {
    return false;
  }
  const auto mutex = quiet::read_at<glibc_mutex>(argument);
  const tid_map tids(threads);
  if (mutex.is_held_in_kernel() && tids.may_contain(mutex.lock & glibc_mutex::tid_mask)) return true;
  return mutex.owner > 0 && tids.may_contain(static_cast<uint32_t>(mutex.owner)) && mutex.is_held();
}

// In libc's locks, with its own tid at hand: a tid that isn't in a register there is on the stack.
TRUEFORK_READS_ANY_MEMORY bool is_in_lock(const thread_slot& slot, const thread_table& threads,
                                          const owner_table& owners) noexcept {
  const ucontext_t& context = *slot.stopped_at;
  if (quiet::interrupted_system_call(context).inside) return waits_for_owned_mutex(slot, threads);
  const uint64_t at = quiet::program_counter(context);
  if (at < owners.lock_text.start || at >= owners.lock_text.end) return false;
  constexpr size_t words_of_stack = 128;  // more than the frames of any lock
  const auto* const stack = reinterpret_cast<const int32_t*>(quiet::stack_pointer(context));
  for (size_t i = 0; i < words_of_stack; ++i) {
    if (stack[i] == slot.tid) return true;
  }
  return quiet::is_in_register(context, static_cast<uint32_t>(slot.tid));
}

}  // namespace

const thread_slot* find_thread_in_lock(const thread_table& threads, const owner_table& owners) noexcept {
  for (size_t i = 0; i < threads.count; ++i) {
    const thread_slot& slot = threads.slots[i];
    if (slot.state != static_cast<uint32_t>(slot_state::stopped)) continue;
    if (is_in_lock(slot, threads, owners)) return &slot;
  }
  return nullptr;
}

int rewrite_owners(const thread_table& threads, const copied_heap& heap, owner_table& owners) noexcept {
  owners.rewritten = 0;
  const tid_map tids(threads);
  const auto self = static_cast<int32_t>(system_call(SYS_gettid));
  int failure = read_maps(owners.maps);
  if (failure != 0) return failure;
  failure = owners.pages.open();
  if (failure != 0) return failure;
  const char* line = owners.maps.items;
  span range{};
  while (failure == 0 && next_writable(line, range)) {
    while (failure == 0 && range.start < range.end) {
      // V8's heap holds no locks, and may be large; it may have become one mapping with its neighbours.
      const memory_range* const skipped = heap.next_range(range.start);
      const uint64_t end = skipped != nullptr && skipped->start < range.end ? skipped->start : range.end;
      if (end > range.start) failure = rewrite_span({range.start, end}, owners, tids, self);
      range.start = end == range.end ? end : skipped->end;
    }
  }
  owners.pages.close();
  return failure;
}

}  // namespace truefork::fork
