// kill(2), killpg(3).
#ifndef TRUEFORK_POSIX_SIGNALS_H_
#define TRUEFORK_POSIX_SIGNALS_H_

#include <sys/types.h>

namespace truefork::posix {

int kill(pid_t pid, int signal) noexcept;
int killpg(pid_t pgid, int signal) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SIGNALS_H_
