// getpid(2), getppid(2), gettid(2).
#ifndef TRUEFORK_POSIX_IDS_H_
#define TRUEFORK_POSIX_IDS_H_

#include <sys/types.h>

#include <cstdint>

namespace truefork::posix {

pid_t getpid() noexcept;
pid_t getppid() noexcept;
int64_t gettid() noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_IDS_H_
