#include "signals.h"

#include <signal.h>

#include "result.h"

namespace truefork::posix {

int kill(pid_t pid, int signal) noexcept { return from_errno(::kill(pid, signal)); }
int killpg(pid_t pgid, int signal) noexcept { return from_errno(::killpg(pgid, signal)); }

}  // namespace truefork::posix
