#include "pty.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

namespace {

// libc's own openpty lives in another library up to glibc 2.33, and leaves FD_CLOEXEC to a race.
pty open_both() {
  pty made;
  const auto done = [&made](const char* step, int result) {
    if (result >= 0) return true;
    made.failure = result;
    made.step = step;
    return false;
  };
  made.master = platform::open_pty_master();
  if (!done("posix_openpt", made.master)) return made;
  char name[128];
  if (done("grantpt", from_errno(::grantpt(made.master))) && done("unlockpt", from_errno(::unlockpt(made.master))) &&
      done("ptsname_r", platform::ptsname(made.master, name, sizeof name))) {
    made.name = name;
    made.slave = platform::open_pty_slave(made.master, name);
    done("open", made.slave);
  }
  return made;
}

}  // namespace

pty openpty(const winsize* size) {
  pty made = open_both();
  if (made.failure == 0 && size != nullptr) {
    made.failure = tcsetwinsize(made.slave, *size);
    if (made.failure != 0) made.step = "tcsetwinsize";
  }
  if (made.failure == 0) return made;
  if (made.master >= 0) ::close(made.master);
  if (made.slave >= 0) ::close(made.slave);
  return made;
}

int tcgetwinsize(int fd, winsize& size) noexcept { return from_errno(::ioctl(fd, TIOCGWINSZ, &size)); }
int tcsetwinsize(int fd, const winsize& size) noexcept { return from_errno(::ioctl(fd, TIOCSWINSZ, &size)); }

int login_tty(int slave, const int* fds, size_t count) noexcept {
  if (::setsid() < 0 || ::ioctl(slave, TIOCSCTTY, 0) < 0) return -errno;
  for (const int* fd = fds; fd != fds + count; ++fd) {
    if (*fd != slave && ::dup2(slave, *fd) < 0) return -errno;
    if (::fcntl(*fd, F_SETFD, *fd > STDERR_FILENO ? FD_CLOEXEC : 0) < 0) return -errno;
  }
  if (std::find(fds, fds + count, slave) == fds + count) ::close(slave);
  return 0;
}

}  // namespace truefork::posix
