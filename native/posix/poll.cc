#include "poll.h"

#include <poll.h>

#include <cerrno>
#include <chrono>

namespace truefork::posix {

int poll_one(int fd, int events, int timeout_ms) noexcept {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + std::chrono::milliseconds(timeout_ms);
  const auto asked =
      static_cast<short>(((events & readable) != 0 ? POLLIN : 0) | ((events & writable) != 0 ? POLLOUT : 0));
  pollfd entry{fd, asked, 0};
  int left = timeout_ms;
  while (::poll(&entry, 1, left) < 0) {
    if (errno != EINTR) return -errno;
    if (timeout_ms < 0) continue;
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now()).count();
    left = rest > 0 ? static_cast<int>(rest) : 0;
  }
  if ((entry.revents & POLLNVAL) != 0) return -EBADF;
  if ((entry.revents & (POLLERR | POLLHUP)) != 0) return events;
  return ((entry.revents & POLLIN) != 0 ? readable : 0) | ((entry.revents & POLLOUT) != 0 ? writable : 0);
}

}  // namespace truefork::posix
