#include "exec.h"

#include <unistd.h>

#include "../platform/platform.h"
#include "result.h"
#include "runtime_state.h"

namespace truefork::posix {

namespace {

template <typename Exec>
int exec_as_started(Exec exec) noexcept {
  runtime_state state;
  state.give_back();
  const int failure = exec();
  state.take_up_again();
  return failure;
}

}  // namespace

int execve(const char* path, char* const argv[], char* const envp[]) noexcept {
  return exec_as_started([=] { return from_errno(::execve(path, argv, envp)); });
}

int execvpe(const char* file, char* const argv[], char* const envp[]) noexcept {
  return exec_as_started([=] { return platform::execvpe(file, argv, envp); });
}

int fexecve(int fd, char* const argv[], char* const envp[]) noexcept {
  return exec_as_started([=] { return platform::fexecve(fd, argv, envp); });
}

}  // namespace truefork::posix
