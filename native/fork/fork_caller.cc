#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "../platform/platform.h"
#include "../posix/children.h"
#include "../posix/result.h"
#include "debugger_sockets.h"
#include "fork.h"
#include "record.h"

namespace truefork::fork {

namespace {

// sysexits(3). The child has no way to tell its parent but its status.
constexpr int exit_os_error = 71;

// Fills gaps among 0-2 while libuv opens descriptors, in its fork handler and in uv_loop_fork: it aborts when it
// is to close one of these as its own.
class filled_stdio {
 public:
  filled_stdio() noexcept {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO) {
      filled_[fd] = true;
      fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    if (fd >= 0) close(fd);
  }
  ~filled_stdio() {
    for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
      if (filled_[fd]) close(fd);
    }
  }
  filled_stdio(const filled_stdio&) = delete;
  filled_stdio& operator=(const filled_stdio&) = delete;

 private:
  bool filled_[STDERR_FILENO + 1]{};
};

// Signals of the parent's that were under way in a pipe, which libuv has made anew. A handle that is closed waits for
// them, and would wait for ever, in a loop that never comes to rest; uv__finish_close of libuv 1.46.
void forget_signals(uv_loop_t* loop) noexcept {
  const auto forget = [](uv_handle_t* handle, void* /*argument*/) {
    if (handle->type != UV_SIGNAL) return;
    auto* const signal = reinterpret_cast<uv_signal_t*>(handle);
    signal->dispatched_signals = signal->caught_signals;
  };
  uv_walk(loop, forget, nullptr);
}

// A child without an event loop is no Node: it says why and ends.
void remake_event_loop(uv_loop_t* loop) noexcept {
  if (uv_loop_fork(loop) == 0) {
    forget_signals(loop);
    return;
  }
  constexpr char message[] = "truefork: the child's event loop can't be made again (uv_loop_fork)\n";
  const ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
  static_cast<void>(ignored);
  _exit(exit_os_error);
}

// What diagnose() is told: of all threads the calling one alone lives on.
void note_fork(pid_t parent, int64_t caller, const std::vector<platform::thread_info>& threads) noexcept {
  begin_record(parent, kept_threads::caller);
  const int64_t self = platform::gettid();
  for (const auto& [tid, name, state] : threads) {
    note_thread(static_cast<pid_t>(tid), static_cast<pid_t>(tid == caller ? self : 0), name);
  }
  end_record();
}

}  // namespace

fork_outcome fork_caller(uv_loop_t* loop, const std::vector<int>& debugger_sockets) {
  const std::vector<endpoint> debugger_endpoints = endpoints_of(debugger_sockets);
  const pid_t parent = getpid();
  const int64_t caller = platform::gettid();
  std::vector<platform::thread_info> threads;
  platform::list_threads(threads);  // where it fails, none are known
  const int failure = begin_heap_copy();
  if (failure != 0) return {failure, "madvise"};

  const filled_stdio stdio;
  children::lock_for_fork();
  // libc's fork and not the system call: its handlers make malloc, stdio and libuv's thread pool fit for use.
  const pid_t pid = from_errno(::fork());
  end_heap_copy();
  if (pid == 0) {
    children::unlock_in_child();
    close_debugger_sockets(debugger_endpoints);
    note_fork(parent, caller, threads);
    remake_event_loop(loop);
    return {};
  }
  children::unlock_in_parent();
  if (pid < 0) return {pid, "fork"};
  children::add(pid);
  return {pid, nullptr};
}

}  // namespace truefork::fork
