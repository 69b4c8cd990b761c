#include "ids.h"

#include <unistd.h>

#include "../platform/platform.h"

namespace truefork::posix {

pid_t getpid() noexcept { return ::getpid(); }
pid_t getppid() noexcept { return ::getppid(); }
int64_t gettid() noexcept { return platform::gettid(); }

}  // namespace truefork::posix
