#include "limits.h"

#include <unistd.h>

#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

namespace {

// glibc's headers have C++ see an enumeration where POSIX has an int.
#ifdef __GLIBC__
using resource_type = __rlimit_resource_t;
#else
using resource_type = int;
#endif

}  // namespace

int getrlimit(int resource, rlimit& limits) noexcept {
  return from_errno(::getrlimit(static_cast<resource_type>(resource), &limits));
}

int setrlimit(int resource, const rlimit& limits) noexcept {
  return from_errno(::setrlimit(static_cast<resource_type>(resource), &limits));
}

int prlimit(pid_t pid, int resource, const rlimit* wanted, rlimit& previous) noexcept {
  return platform::prlimit(pid, resource, wanted, &previous);
}

}  // namespace truefork::posix
