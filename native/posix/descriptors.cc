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
  // Whatever the failure is: a seccomp filter may refuse what it doesn't know by any error number.
  if (platform::close_range(static_cast<unsigned>(fd), ~0U, 0) == 0) return 0;
  std::vector<int> open;
  if (platform::list_descriptors(open) != 0) {
    // No /proc. What is open above a limit that was lowered since stays open.
    const long limit = sysconf(_SC_OPEN_MAX);
    for (int number = fd; number < limit; ++number) close(number);
    return 0;
  }
  for (const int number : open) {
    if (number >= fd) close(number);
  }
  return 0;
}

int close_range(int first, int last, int flags) noexcept {
  return platform::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), flags);
}

int umask(int mask) noexcept { return static_cast<int>(::umask(static_cast<mode_t>(mask))); }

}  // namespace truefork::posix
