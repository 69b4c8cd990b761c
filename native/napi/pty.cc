#include "../posix/pty.h"

#include <unistd.h>

#include <vector>

#include "../platform/platform.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

constexpr int exit_os_error = 71;  // sysexits(3)

winsize to_size(const Napi::Value& rows, const Napi::Value& columns) {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(to_int(rows));
  size.ws_col = static_cast<unsigned short>(to_int(columns));
  return size;
}

// 0-2, and those of terminals that the loop reads and writes: libuv opens a terminal once more, under a number of its
// own.
std::vector<int> terminal_descriptors(uv_loop_t* loop) {
  std::vector<int> fds{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  const auto note = [](uv_handle_t* handle, void* argument) {
    int fd = -1;
    if (handle->type != UV_TTY || uv_fileno(handle, &fd) != 0 || fd <= STDERR_FILENO) return;
    static_cast<std::vector<int>*>(argument)->push_back(fd);
  };
  uv_walk(loop, note, &fds);
  return fds;
}

}  // namespace

// (rows | undefined, columns) -> [0 or a negative error number, master, slave, its path, the call that failed or null]
Napi::Value openpty(const Napi::CallbackInfo& info) {
  const bool sized = !info[0].IsUndefined();
  const winsize size = sized ? to_size(info[0], info[1]) : winsize{};
  const posix::pty made = posix::openpty(sized ? &size : nullptr);
  Napi::Array result = to_array(info.Env(), {made.failure, made.master, made.slave});
  result.Set(3U, Napi::String::New(info.Env(), made.name));
  result.Set(4U, made.step == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), made.step));
  return result;
}

// (master, slave): the rest of a forkpty in its child. What Node has already made of 0-2 goes on, on the new terminal.
Napi::Value enter_pty(const Napi::CallbackInfo& info) {
  uv_loop_t* const loop = event_loop(info.Env());
  const int loop_fd = uv_backend_fd(loop);
  const std::vector<int> fds = terminal_descriptors(loop);
  ::close(to_int(info[0]));
  std::vector<int> watched;
  for (const int fd : fds) {
    if (platform::unwatch(loop_fd, fd)) watched.push_back(fd);
  }
  if (posix::login_tty(to_int(info[1]), fds.data(), fds.size()) != 0) {
    constexpr char message[] = "truefork: the child can't have its terminal (login_tty)\n";
    const ssize_t ignored = ::write(STDERR_FILENO, message, sizeof message - 1);
    static_cast<void>(ignored);
    ::_exit(exit_os_error);
  }
  for (const int fd : watched) platform::watch_input(loop_fd, fd);
  return info.Env().Undefined();
}

// (fd) -> [0 or a negative error number, rows, columns]
Napi::Value tcgetwinsize(const Napi::CallbackInfo& info) {
  winsize size{};
  const int failure = posix::tcgetwinsize(to_int(info[0]), size);
  return to_array(info.Env(), {failure, size.ws_row, size.ws_col});
}

// (fd, rows, columns) -> 0 or a negative error number
Napi::Value tcsetwinsize(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::tcsetwinsize(to_int(info[0]), to_size(info[1], info[2])));
}

}  // namespace truefork::napi
