// The children that this package made and nobody has reaped yet, whichever thread made them.
#ifndef TRUEFORK_POSIX_CHILDREN_H_
#define TRUEFORK_POSIX_CHILDREN_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace truefork::children {

void add(pid_t pid);
// A child that a thread of libuv's pool made for thread `tid`: to the kernel it is the pool's thread that has it.
void add_for(int64_t tid, pid_t pid);
std::vector<pid_t> list_for(int64_t tid);
void remove(pid_t pid);
bool contains(pid_t pid);
std::vector<pid_t> list();
// Children that a part of this package waits for by itself: waits for any child, or for theirs, leave them alone.
void keep(pid_t pid);
std::vector<pid_t> kept();
// In a child, which has none yet.
void clear();

// Around fork(2): holds the list still, so that the child never inherits it locked by a thread that isn't there.
void lock_for_fork();
void unlock_in_parent();
// A child has no children yet.
void unlock_in_child();

}  // namespace truefork::children

#endif  // TRUEFORK_POSIX_CHILDREN_H_
