// poll(2) of one descriptor.
#ifndef TRUEFORK_POSIX_POLL_H_
#define TRUEFORK_POSIX_POLL_H_

namespace truefork::posix {

// libuv's UV_READABLE and UV_WRITABLE.
constexpr int readable = 1;
constexpr int writable = 2;

// Waits until one of `events` has come, or so many milliseconds; negative: without end. What has come (an error or the
// end of file counts as all that was asked for), 0 when the time is over, or a negative error number.
int poll_one(int fd, int events, int timeout_ms) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_POLL_H_
