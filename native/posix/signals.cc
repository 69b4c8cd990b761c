#include "signals.h"

#include "result.h"
#include "runtime_state.h"

namespace truefork::posix {

int kill(pid_t pid, int signal) noexcept { return from_errno(::kill(pid, signal)); }
int killpg(pid_t pgid, int signal) noexcept { return from_errno(::killpg(pgid, signal)); }

int sigprocmask(int how, const sigset_t& signals, sigset_t& previous) noexcept {
  const int failure = from_code(pthread_sigmask(how, &signals, &previous));
  if (failure == 0) change_program_mask(how, signals);
  return failure;
}

int sigpending(sigset_t& signals) noexcept { return from_errno(::sigpending(&signals)); }

}  // namespace truefork::posix
