// Processes by descriptor, and their ends as events: linux_exits.cc and darwin_exits.cc. Every function returns a
// value >= 0 or a negative error number.
#ifndef TRUEFORK_PLATFORM_EXITS_H_
#define TRUEFORK_PLATFORM_EXITS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace truefork::platform {

int pidfd_open(pid_t pid, unsigned flags) noexcept;
int pidfd_send_signal(int pidfd, int signal) noexcept;
// The process of a pidfd: -1 if it has been reaped, 0 if it can't be told. Works under a full descriptor table.
int64_t pid_of_pidfd(int pidfd);
// 1 once all threads of the process have ended, 0 before.
int pidfd_has_ended(int pidfd) noexcept;

// A descriptor that is readable once a process that it watches has ended: an epoll, or a kqueue.
int open_exit_watch() noexcept;

// Watches one process, by its pid or by a pidfd of somebody else's. The result is a token for what follows. A failure
// says that this process can't be watched here or now, and has to be looked for.
int watch_exit(int watch, pid_t pid) noexcept;
int watch_exit_of_pidfd(int watch, int pidfd) noexcept;
void unwatch_exit(int watch, int token) noexcept;

// The tokens of processes that have ended, each told once; as many as fit, and their number.
size_t take_exits(int watch, int* tokens, size_t capacity) noexcept;

// In a child of fork(2), where `watch` belongs to the parent.
void leave_exit_watch_to_parent(int watch) noexcept;

// Kills the child that thread `tid` is making by posix_spawn and that hasn't come to its exec, if there is one.
void kill_unborn(int64_t tid) noexcept;

}  // namespace truefork::platform

#endif  // TRUEFORK_PLATFORM_EXITS_H_
