// Pseudo-terminals: openpty(3), login_tty(3), and tcgetwinsize(3) of POSIX.1-2024.
#ifndef TRUEFORK_POSIX_PTY_H_
#define TRUEFORK_POSIX_PTY_H_

#include <sys/ioctl.h>
#include <termios.h>

#include <string>

namespace truefork::posix {

struct pty {
  int failure = 0;             // a negative error number
  const char* step = nullptr;  // the call that failed
  int master = -1;
  int slave = -1;
  std::string name{};  // the slave's path
};

// Both descriptors are FD_CLOEXEC. `size` null: as the kernel makes it, 0 by 0.
pty openpty(const winsize* size);

int tcgetwinsize(int fd, winsize& size) noexcept;
int tcsetwinsize(int fd, const winsize& size) noexcept;

// Makes a terminal this process's own, in a new session, and each of `fds` a name of it; closes `slave` unless it is
// one of them. Those above 2 become FD_CLOEXEC. 0 or a negative error number.
int login_tty(int slave, const int* fds, size_t count) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_PTY_H_
