#include "ids.h"

#include <signal.h>
#include <unistd.h>

#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

pid_t getpid() noexcept { return ::getpid(); }
pid_t getppid() noexcept { return ::getppid(); }
int64_t gettid() noexcept { return platform::gettid(); }

pid_t getpgid(pid_t pid) noexcept { return from_errno(::getpgid(pid)); }
int setpgid(pid_t pid, pid_t pgid) noexcept { return from_errno(::setpgid(pid, pgid)); }
pid_t getpgrp() noexcept { return ::getpgrp(); }
pid_t setsid() noexcept { return from_errno(::setsid()); }
pid_t getsid(pid_t pid) noexcept { return from_errno(::getsid(pid)); }

pid_t tcgetpgrp(int fd) noexcept { return from_errno(::tcgetpgrp(fd)); }

int tcsetpgrp(int fd, pid_t pgid) noexcept {
  // The kernel lets a thread that blocks SIGTTOU through, and would otherwise stop the whole group; tcsetpgrp(3).
  sigset_t terminal_output;
  sigset_t mask;
  sigemptyset(&terminal_output);
  sigaddset(&terminal_output, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &terminal_output, &mask);
  const int result = from_errno(::tcsetpgrp(fd, pgid));
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  return result;
}

}  // namespace truefork::posix
