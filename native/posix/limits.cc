#include "limits.h"

#include <unistd.h>

#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

namespace {

// An int by POSIX; glibc has C++ see an enumeration.
using resource_type = decltype(RLIMIT_CPU);

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
