#include "../fork/fork.h"

#include <unistd.h>

#include "../fork/pool_barrier.h"
#include "../fork/silence.h"
#include "../platform/platform.h"
#include "../posix/prctl.h"
#include "../posix/shared_lock.h"
#include "../posix/shared_memory.h"
#include "exit_watch.h"
#include "marshal.h"
#include "thunks.h"
#include "word_watch.h"

namespace truefork::napi {

namespace {

// Ends the process when the event loop has nothing left to do, before the loop would return to Node: Node's own
// way out waits for threads that fork(2) left behind. The child lives with it until then.
class empty_loop_watch {
 public:
  empty_loop_watch(Napi::Env env, const Napi::Function& before_exit, const Napi::Function& exit,
                   const Napi::Function& leave)
      : loop_(event_loop(env)),
        before_exit_(Napi::Persistent(before_exit)),
        exit_(Napi::Persistent(exit)),
        leave_(Napi::Persistent(leave)),
        context_(env, "truefork") {
    uv_prepare_init(loop_, &prepare_);
    prepare_.data = this;
    // Referenced, so that the loop comes round even if it has nothing to do from the start.
    uv_prepare_start(&prepare_, [](uv_prepare_t* prepare) { static_cast<empty_loop_watch*>(prepare->data)->look(); });
  }

 private:
  void look() {
    uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
    if (uv_loop_alive(loop_) == 0) call(before_exit_);
    // What 'beforeExit' began keeps the process going, as in every Node.
    if (uv_loop_alive(loop_) == 0) {
      call(exit_);
      call(leave_);  // only now: what 'exit' left to microtasks has been done
    }
    uv_ref(reinterpret_cast<uv_handle_t*>(&prepare_));
  }

  void call(const Napi::FunctionReference& callback) {
    const Napi::Env env = callback.Env();
    const Napi::HandleScope scope(env);
    callback.MakeCallback(env.Global(), std::initializer_list<napi_value>{}, context_);
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  uv_loop_t* loop_;
  uv_prepare_t prepare_{};
  Napi::FunctionReference before_exit_;
  Napi::FunctionReference exit_;
  Napi::FunctionReference leave_;
  Napi::AsyncContext context_;
};

// Children of the parent's node:child_process end without a word to a child of its own: its event loop mustn't wait
// for that.
void let_siblings_go(uv_loop_t* loop) {
  const auto let_go = [](uv_handle_t* handle, void* /*argument*/) {
    if (handle->type == UV_PROCESS) uv_unref(handle);
  };
  uv_walk(loop, let_go, nullptr);
}

fork::fork_outcome fork_with_quiet_pool(uv_loop_t* loop, bool all, int drain, bool share_rings,
                                        const std::vector<int>& debugger_sockets, bool silent) {
  fork::pool_barrier* barrier = nullptr;
  if (drain >= 0 && fork::pool_may_be_busy(loop)) {
    barrier = new fork::pool_barrier;  // deletes itself
    const int failure = barrier->close(loop, static_cast<uint32_t>(drain));
    if (failure != 0) {
      barrier->open();
      return {failure, "uv_queue_work", 0};
    }
  }
  const pid_t self = ::getpid();
  exit_watches_at_fork watches(loop, all);
  word_watches_at_fork words(loop, all);
  const posix::shared_locks_at_fork locks;
  posix::shared_memory_at_fork memory;
  const fork::fork_outcome outcome =
      all ? fork::fork_all(share_rings, debugger_sockets) : fork::fork_caller(loop, debugger_sockets);
  if (outcome.pid == 0) {
    posix::note_parent(self);
    memory.in_child();
    if (silent) {
      watches.forget_in_child();
      words.forget_in_child();
      fork::silence(loop);
    } else {
      let_siblings_go(loop);
      watches.in_child();
      words.in_child();
    }
  } else {
    memory.in_parent(outcome.pid > 0);
  }
  if (barrier == nullptr) return outcome;
  if (outcome.pid == 0 && !all) {
    barrier->abandon(loop);
  } else {
    barrier->open();
  }
  return outcome;
}

std::vector<int> to_ints(const Napi::Array& values) {
  std::vector<int> result;
  for (uint32_t i = 0; i < values.Length(); ++i) result.push_back(to_int(values.Get(i)));
  return result;
}

}  // namespace

// (whether all threads, milliseconds to wait for the thread pool or -1, whether rings of io_uring are shared, the
// sockets that the inspector listens on, whether the child leaves to its parent what the event loop has) -> [the
// child's pid in the parent, 0 in the child, or a negative error number; the thread that didn't stop or 0; the call
// that failed or null]
Napi::Value fork(const Napi::CallbackInfo& info) {
  // V8 can't be asked for anything in the child before its heap is there.
  uv_loop_t* const loop = event_loop(info.Env());
  const bool all = info[0].As<Napi::Boolean>().Value();
  const int drain = to_int(info[1]);
  const bool share_rings = info[2].As<Napi::Boolean>().Value();
  const auto [pid, step, tid] = fork_with_quiet_pool(loop, all, drain, share_rings, to_ints(info[3].As<Napi::Array>()),
                                                     info[4].As<Napi::Boolean>().Value());
  Napi::Array result = to_array(info.Env(), {pid, tid});
  result.Set(2U, step == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), step));
  return result;
}

// () -> null, or in words why a child can't have all threads
Napi::Value why_not_all_threads(const Napi::CallbackInfo& info) {
  const char* const reason = fork::why_not_all_threads();
  return reason == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), reason);
}

// (beforeExit, exit, leave): see empty_loop_watch
Napi::Value on_empty_loop(const Napi::CallbackInfo& info) {
  // Lives as long as the process.
  new empty_loop_watch(info.Env(), info[0].As<Napi::Function>(), info[1].As<Napi::Function>(),
                       info[2].As<Napi::Function>());
  return info.Env().Undefined();
}

// (status): never returns
Napi::Value _exit(const Napi::CallbackInfo& info) { ::_exit(to_int(info[0])); }

}  // namespace truefork::napi
