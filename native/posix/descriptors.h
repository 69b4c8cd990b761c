// pipe(2), dup(2), fcntl(2), close_range(2), umask(2).
#ifndef TRUEFORK_POSIX_DESCRIPTORS_H_
#define TRUEFORK_POSIX_DESCRIPTORS_H_

namespace truefork::posix {

int pipe(int descriptors[2]) noexcept;
int pipe2(int descriptors[2], int flags) noexcept;
int dup(int fd) noexcept;
int dup2(int fd, int new_fd) noexcept;
int dup3(int fd, int new_fd, int flags) noexcept;
// Commands that take an int or nothing; the others answer EINVAL.
int fcntl(int fd, int command, int argument) noexcept;
// Closes `fd` and everything above it, but leaves to exec what threads of the runtime wait by.
int closefrom(int fd);
int close_range(int first, int last, int flags) noexcept;
int umask(int mask) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_DESCRIPTORS_H_
