// posix_spawn on a thread of libuv's pool, as the child's file actions and exec may take long: the caller of vfork
// stands still until then.
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <memory>
#include <mutex>

#include "../platform/exits.h"
#include "../platform/platform.h"
#include "../posix/children.h"
#include "marshal.h"
#include "spawn.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// Nobody will be told of this child: it ends. In a copy of this process, made meanwhile, it isn't on the list of
// children, and is the parent's.
void undo(posix::spawn_outcome& outcome) {
  if (outcome.failure != 0 || !children::contains(outcome.pid)) return;
  ::kill(outcome.pid, SIGKILL);
  while (::waitpid(outcome.pid, nullptr, 0) < 0 && errno == EINTR) continue;
  children::remove(outcome.pid);
  outcome.failure = -ECANCELED;
}

// Deletes itself when all is done.
class spawn_task {
 public:
  spawn_task(Napi::Env env, std::unique_ptr<spawn_arguments> arguments, const Napi::Function& callback)
      : loop_(event_loop(env)),
        arguments_(std::move(arguments)),
        callback_(Napi::Persistent(callback)),
        context_(env, "truefork") {
    arguments_->keep_for(platform::gettid());
    work_.data = this;
    retry_.data = this;
    uv_timer_init(loop_, &retry_);
    const auto at_end = [](napi_async_cleanup_hook_handle /*hook*/, void* self) {
      static_cast<spawn_task*>(self)->abandon();
    };
    napi_add_async_cleanup_hook(env, at_end, this, &hook_);
    uv_queue_work(
        loop_, &work_, [](uv_work_t* work) { static_cast<spawn_task*>(work->data)->run(); },
        [](uv_work_t* work, int status) { static_cast<spawn_task*>(work->data)->finish(status); });
  }
  spawn_task(const spawn_task&) = delete;
  spawn_task& operator=(const spawn_task&) = delete;

  // From the event loop's thread: the child that there is, or will be, is killed. `finish` comes as ever.
  void abort() {
    if (uv_cancel(reinterpret_cast<uv_req_t*>(&work_)) == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    aborted_ = true;
    if (runner_ == 0) return;
    platform::kill_unborn(runner_);
    // The pool's thread may be just about to make it.
    constexpr uint64_t milliseconds = 5;
    uv_timer_start(
        &retry_, [](uv_timer_t* timer) { static_cast<spawn_task*>(timer->data)->abort(); }, milliseconds, 0);
  }

 private:
  ~spawn_task() = default;

  // The environment ends: JavaScript hears nothing any more.
  void abandon() {
    abandoned_ = true;
    abort();
  }

  void run() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      runner_ = platform::gettid();
    }
    outcome_ = arguments_->spawn();
    bool aborted = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      runner_ = 0;
      aborted = aborted_;
    }
    if (aborted) undo(outcome_);
  }

  void finish(int status) {
    if (status != 0) outcome_.failure = status;
    if (abandoned_) {
      undo(outcome_);
    } else {
      tell();
    }
    uv_close(reinterpret_cast<uv_handle_t*>(&retry_), [](uv_handle_t* handle) {
      auto* const self = static_cast<spawn_task*>(handle->data);
      auto* const hook = self->hook_;
      delete self;
      napi_remove_async_cleanup_hook(hook);
    });
  }

  void tell() {
    const Napi::Env env = callback_.Env();
    const Napi::HandleScope scope(env);
    const std::initializer_list<napi_value> arguments{to_result(env, outcome_)};
    const bool told = !callback_.MakeCallback(env.Global(), arguments, context_).IsEmpty();
    if (!told) undo(outcome_);  // the Worker is being ended
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  uv_loop_t* loop_;
  std::unique_ptr<spawn_arguments> arguments_;
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_work_t work_{};
  uv_timer_t retry_{};
  posix::spawn_outcome outcome_;
  bool abandoned_ = false;

  std::mutex mutex_;
  int64_t runner_ = 0;  // the pool's thread while it is at work
  bool aborted_ = false;
};

}  // namespace

// (path, argv, env | null, search, options, callback) -> what abort_spawn takes, until the callback is called with
// posix_spawn's result
Napi::Value begin_spawn(const Napi::CallbackInfo& info) {
  auto arguments = std::make_unique<spawn_arguments>(info);
  if (!arguments->is_whole()) return info.Env().Undefined();
  auto* const task = new spawn_task(info.Env(), std::move(arguments), info[5].As<Napi::Function>());
  return Napi::External<spawn_task>::New(info.Env(), task);
}

// (task)
Napi::Value abort_spawn(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<spawn_task>>().Data()->abort();
  return info.Env().Undefined();
}

}  // namespace truefork::napi
