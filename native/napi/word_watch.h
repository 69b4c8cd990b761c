// Tells JavaScript when words of shared memory change, without blocking it: a thread sleeps on them, on up to 127 at a
// time. There is none before something is waited for.
#ifndef TRUEFORK_NAPI_WORD_WATCH_H_
#define TRUEFORK_NAPI_WORD_WATCH_H_

#include <uv.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "../posix/shared_memory.h"
#include "api.h"

namespace truefork::napi {

struct watched_word {
  uint32_t* word;
  uint32_t expected;
  bool looks;  // wants to be told now and then, too
  std::shared_ptr<posix::shared_segment> segment;
};

// One thread and what it sleeps on.
class word_sleeper {
 public:
  explicit word_sleeper(uv_async_t* async) noexcept : async_(async) {}
  ~word_sleeper() { stop(); }
  word_sleeper(const word_sleeper&) = delete;
  word_sleeper& operator=(const word_sleeper&) = delete;

  bool has_room();
  // 0 or a negative error number: there is no thread to be had.
  int add(int token, watched_word watched);
  void remove(int token);
  void take_told(std::vector<int>& tokens);
  void stop();

  void lock_for_fork() { mutex_.lock(); }
  void unlock_in_parent() { mutex_.unlock(); }
  // `tells`: everything is told, so that each wait becomes one of the child's own.
  void unlock_in_child(bool has_thread, bool tells);

 private:
  int start();
  void run();
  bool tell_changed(bool tells_looks);

  uv_async_t* async_;
  std::mutex mutex_;
  std::map<int, watched_word> watched_;
  std::vector<int> told_;
  uint32_t changes_ = 0;  // the word of this process's own that calls the thread
  bool has_thread_ = false;
  bool is_stopping_ = false;
  uv_thread_t thread_{};
};

// Lives until its environment ends.
class word_watch {
 public:
  // `callback` gets a list of tokens, each once.
  word_watch(Napi::Env env, const Napi::Function& callback);
  word_watch(const word_watch&) = delete;
  word_watch& operator=(const word_watch&) = delete;

  // A token >= 0, or a negative error number. While there is one, the event loop goes on.
  int watch(watched_word watched);
  void unwatch(int token);

 private:
  friend class word_watches_at_fork;

  ~word_watch() = default;
  void tell();
  void close();
  word_sleeper& with_room();
  void forget(int token);

  uv_loop_t* loop_;
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_async_t async_{};
  std::vector<std::unique_ptr<word_sleeper>> sleepers_;
  std::map<int, word_sleeper*> tokens_;
  int next_token_ = 0;
};

// Around a fork.
class word_watches_at_fork {
 public:
  word_watches_at_fork(uv_loop_t* loop, bool all_threads);
  ~word_watches_at_fork();
  word_watches_at_fork(const word_watches_at_fork&) = delete;
  word_watches_at_fork& operator=(const word_watches_at_fork&) = delete;

  void in_child() { unlock_in_child(true); }
  // The child's main thread forgets its waits.
  void forget_in_child() { unlock_in_child(false); }

 private:
  void unlock_in_child(bool tells_main);

  uv_loop_t* loop_;
  bool all_threads_;
  bool is_child_ = false;
};

}  // namespace truefork::napi

#endif  // TRUEFORK_NAPI_WORD_WATCH_H_
