// getpid(2), getppid(2), gettid(2); process groups and sessions: setpgid(2), setsid(2), tcsetpgrp(3).
#ifndef TRUEFORK_POSIX_IDS_H_
#define TRUEFORK_POSIX_IDS_H_

#include <sys/types.h>

#include <cstdint>

namespace truefork::posix {

pid_t getpid() noexcept;
pid_t getppid() noexcept;
int64_t gettid() noexcept;

pid_t getpgid(pid_t pid) noexcept;
int setpgid(pid_t pid, pid_t pgid) noexcept;
pid_t getpgrp() noexcept;
pid_t setsid() noexcept;
pid_t getsid(pid_t pid) noexcept;

pid_t tcgetpgrp(int fd) noexcept;
// Works from the background as well, without a SIGTTOU.
int tcsetpgrp(int fd, pid_t pgid) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_IDS_H_
