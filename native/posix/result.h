// The two error conventions of POSIX, told apart. Everything below napi/ returns a value >= 0 or a
// negative error number, as the kernel itself does.
#ifndef TRUEFORK_POSIX_RESULT_H_
#define TRUEFORK_POSIX_RESULT_H_

#include <cerrno>

namespace truefork {

// For calls that return -1 and set errno: most of them.
template <typename Value>
inline Value from_errno(Value value) noexcept {
  return value == static_cast<Value>(-1) ? static_cast<Value>(-errno) : value;
}

// For calls that return the error number and leave errno alone: posix_spawn*, pthread_*.
inline int from_code(int code) noexcept { return -code; }

}  // namespace truefork

#endif  // TRUEFORK_POSIX_RESULT_H_
