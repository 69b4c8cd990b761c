// Which pages V8's heap is made of, and whether fork(2) copies them. Linux.
#ifndef TRUEFORK_FORK_HEAP_H_
#define TRUEFORK_FORK_HEAP_H_

#include <cstdint>

#include "quiet_list.h"

namespace truefork::fork {

struct memory_range {
  uint64_t start;
  uint64_t end;
};

// Node builds V8 so that its pages are MADV_DONTFORK (nodejs/node#48523): children that exec at once are cheaper,
// and a child that returns to JavaScript has no heap. This keeps track of those pages, makes them copyable for
// one fork, and puts the mark back in both processes: a parent without it pays at each later child_process.spawn.
//
// Only /proc/self/smaps tells which pages are marked, and reading it takes longer than the fork. So it is read
// once, and from then on heap_hooks.cc reports what V8 maps and unmaps.
class copied_heap {
 public:
  // Normal code: learns of what was mapped before the hooks were there. 0 or a negative error number.
  int find();

  // The rest is quiet code. From begin to end V8 neither marks nor unmaps anything. 0, or a negative error number
  // with nothing changed.
  int begin() noexcept;
  // Runs in parent and child alike.
  void end() noexcept;

  // The first tracked range that ends after `address`, or null.
  const memory_range* next_range(uint64_t address) const noexcept;

  // For the hooks: what `change` does to the mapping and what is noted of it happen at once.
  void lock() noexcept;
  void unlock() noexcept;
  void add(memory_range range) noexcept;
  void remove(memory_range range) noexcept;

 private:
  int advise(int advice) noexcept;  // madvise(2) of all ranges

  quiet::list<memory_range> ranges_;  // sorted, apart, no two touching
  uint32_t lock_;                     // 0 free, 1 held, 2 held and waited for
  bool complete_;                     // whether smaps has been read
};

copied_heap& heap_of_process() noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_HEAP_H_
