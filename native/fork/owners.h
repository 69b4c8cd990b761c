// Locks that bear their owner's tid, which is another in the child: recursive, error-checking, robust and
// priority-inheriting mutexes, and rwlocks held for writing. Their owners could neither unlock them nor lock them
// again. Quiet code.
#ifndef TRUEFORK_FORK_OWNERS_H_
#define TRUEFORK_FORK_OWNERS_H_

#include "heap.h"
#include "quiet_list.h"
#include "threads.h"
#include "touched_pages.h"

namespace truefork::fork {

struct text_range {
  uint64_t start;
  uint64_t end;
};

struct owner_table {
  text_range lock_text;    // the part of libc where a tid may be on its way into a lock
  quiet::list<char> maps;  // /proc/self/maps
  touched_pages pages;
  size_t rewritten;  // how many locks the last fork had to mend
};

// In the parent: a stopped thread that may have a tid in a register, bound for a lock; null where none has. Such a
// thread must go on a little before its memory can be copied.
const thread_slot* find_thread_in_lock(const thread_table& threads, const owner_table& owners) noexcept;

// In the child, once its threads have their tids: rewrites every lock that one of them held. 0 or a negative
// error number.
int rewrite_owners(const thread_table& threads, const copied_heap& heap, owner_table& owners) noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_OWNERS_H_
