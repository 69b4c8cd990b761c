// kill(2), killpg(3), sigprocmask(2), sigpending(2).
#ifndef TRUEFORK_POSIX_SIGNALS_H_
#define TRUEFORK_POSIX_SIGNALS_H_

#include <signal.h>
#include <sys/types.h>

namespace truefork::posix {

int kill(pid_t pid, int signal) noexcept;
int killpg(pid_t pgid, int signal) noexcept;

// Of the calling thread. What it changes holds for programs that the thread execs or spawns, too.
int sigprocmask(int how, const sigset_t& signals, sigset_t& previous) noexcept;
// Those of the calling thread and of the process.
int sigpending(sigset_t& signals) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SIGNALS_H_
