#include "descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

namespace {

// dup2 and dup3 answer EBUSY while another thread's open() of the same number is under way; dup(2).
template <typename Call>
int retried(Call call) noexcept {
  for (;;) {
    const int value = call();
    if (value != -EINTR && value != -EBUSY) return value;
  }
}

}  // namespace

int pipe(int descriptors[2]) noexcept { return from_errno(::pipe(descriptors)); }

int pipe2(int descriptors[2], int flags) noexcept { return platform::pipe2(descriptors, flags); }

int dup(int fd) noexcept { return from_errno(::dup(fd)); }

int dup2(int fd, int new_fd) noexcept {
  return retried([=] { return from_errno(::dup2(fd, new_fd)); });
}

int dup3(int fd, int new_fd, int flags) noexcept {
  return retried([=] { return platform::dup3(fd, new_fd, flags); });
}

int fcntl(int fd, int command, int argument) noexcept {
  // The kernel would read or write through `argument` as a pointer.
  if (!platform::fcntl_takes_int(command)) return -EINVAL;
  return from_errno(::fcntl(fd, command, argument));
}

int closefrom(int fd) {
  if (fd < 0) return -EBADF;
  std::vector<int> open;
  const int failure = platform::list_descriptors(open);
  if (failure != 0) return failure;
  for (const int number : open) {
    if (number < fd) continue;
    // Without these libuv calls abort(3) on whichever thread waits by one, or wakes one, before exec closes them.
    const bool until_exec = platform::wakes_event_loop(number) && ::fcntl(number, F_GETFD) == FD_CLOEXEC;
    if (!until_exec) close(number);
  }
  return 0;
}

int close_range(int first, int last, int flags) noexcept {
  return platform::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), flags);
}

int umask(int mask) noexcept { return static_cast<int>(::umask(static_cast<mode_t>(mask))); }

}  // namespace truefork::posix
