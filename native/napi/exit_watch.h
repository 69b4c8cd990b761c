// Tells JavaScript which of the processes that it watches have ended. One descriptor and two handles of the event loop,
// however many processes: they cost no thread, and no handler of SIGCHLD.
#ifndef TRUEFORK_NAPI_EXIT_WATCH_H_
#define TRUEFORK_NAPI_EXIT_WATCH_H_

#include <uv.h>

#include <set>

#include "api.h"

namespace truefork::napi {

// Lives until its environment ends.
class exit_watch {
 public:
  // `callback` gets a list of tokens; or null, in a child, where none of these processes is a child any more.
  exit_watch(Napi::Env env, const Napi::Function& callback, bool keeps_loop_going);
  exit_watch(const exit_watch&) = delete;
  exit_watch& operator=(const exit_watch&) = delete;

  // A token >= 0, or a negative error number. While there is one, the event loop goes on, if that was wanted.
  int watch(pid_t pid);
  int watch_pidfd(int pidfd);
  void unwatch(int token);

 private:
  friend class exit_watches_at_fork;

  ~exit_watch();
  int open();
  int noted(int token);
  void listen();
  void stop_listening();
  void tell();
  void call(const Napi::Value& tokens);
  void start_anew();
  void forget_all();
  void close_poll();
  void close();
  void free_when_closed();

  uv_loop_t* loop_;
  bool keeps_loop_going_;
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_async_t all_{};  // sent in a child
  uv_poll_t* poll_ = nullptr;
  int descriptor_ = -1;
  std::set<int> tokens_;
  int open_handles_ = 0;
};

// Around a fork: the child tells all that waits there that it has no children. Where the child has the calling thread
// alone, its event loop must not take part in the parent's watch.
class exit_watches_at_fork {
 public:
  exit_watches_at_fork(uv_loop_t* loop, bool all_threads);
  ~exit_watches_at_fork();
  exit_watches_at_fork(const exit_watches_at_fork&) = delete;
  exit_watches_at_fork& operator=(const exit_watches_at_fork&) = delete;

  void in_child();
  // In a child that has nothing of what waits there.
  void forget_in_child();

 private:
  uv_loop_t* loop_;
  bool all_threads_;
};

}  // namespace truefork::napi

#endif  // TRUEFORK_NAPI_EXIT_WATCH_H_
