// execve(2), execvpe(3), fexecve(3).
#ifndef TRUEFORK_POSIX_EXEC_H_
#define TRUEFORK_POSIX_EXEC_H_

namespace truefork::posix {

// Each replaces this process by the program, or returns a negative error number with everything as it was.
int execve(const char* path, char* const argv[], char* const envp[]) noexcept;
// Searches the caller's PATH; runs a file without #! by sh.
int execvpe(const char* file, char* const argv[], char* const envp[]) noexcept;
int fexecve(int fd, char* const argv[], char* const envp[]) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_EXEC_H_
