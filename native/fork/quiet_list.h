// A growing array for quiet code: memory straight from the kernel, kept for the next time.
#ifndef TRUEFORK_FORK_QUIET_LIST_H_
#define TRUEFORK_FORK_QUIET_LIST_H_

#include <sys/mman.h>

#include "quiet.h"

namespace truefork::quiet {

// Of trivially copyable items. Zero-initialized it is an empty list. Never destroyed: it serves every fork.
template <typename Item>
struct list {
  Item* items;
  size_t capacity;
  size_t count;

  // Room for `wanted` items. 0 or a negative error number.
  int reserve(size_t wanted) noexcept {
    if (wanted <= capacity) return 0;
    size_t bytes = capacity * sizeof(Item) < 16384 ? 16384 : capacity * sizeof(Item);
    while (bytes < wanted * sizeof(Item)) bytes *= 2;
    const long address = items == nullptr
                             ? system_call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                             : system_call(SYS_mremap, (long)items, static_cast<long>(capacity * sizeof(Item)),
                                           static_cast<long>(bytes), MREMAP_MAYMOVE);
    if (address < 0 && address > -4096) return static_cast<int>(address);
    items = reinterpret_cast<Item*>(address);
    capacity = bytes / sizeof(Item);
    return 0;
  }

  int add(const Item& item) noexcept {
    const int failure = reserve(count + 1);
    if (failure == 0) items[count++] = item;
    return failure;
  }

  // Before the item at `index`.
  int insert(size_t index, const Item& item) noexcept {
    const int failure = reserve(count + 1);
    if (failure != 0) return failure;
    for (size_t i = count++; i > index; --i) items[i] = items[i - 1];
    items[index] = item;
    return 0;
  }

  // The items from `first` up to `last`.
  void remove(size_t first, size_t last) noexcept {
    for (size_t i = last; i < count; ++i) items[first + i - last] = items[i];
    count -= last - first;
  }

  Item* begin() const noexcept { return items; }
  Item* end() const noexcept { return items + count; }
};

}  // namespace truefork::quiet

#endif  // TRUEFORK_FORK_QUIET_LIST_H_
