// getrlimit(2), setrlimit(2), prlimit(2).
#ifndef TRUEFORK_POSIX_LIMITS_H_
#define TRUEFORK_POSIX_LIMITS_H_

#include <sys/resource.h>
#include <sys/types.h>

namespace truefork::posix {

int getrlimit(int resource, rlimit& limits) noexcept;
int setrlimit(int resource, const rlimit& limits) noexcept;
// Of any process, 0 being this one. `wanted` null: only asks. `previous` is what held before.
int prlimit(pid_t pid, int resource, const rlimit* wanted, rlimit& previous) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_LIMITS_H_
