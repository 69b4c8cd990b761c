// The child of a fork that runs one function and nothing of its parent's: everything below fork() on the stack is
// given up, and the function is called by the event loop.
#include <unistd.h>
#include <uv.h>

#include <cstdlib>

#include "../fork/silence.h"
#include "marshal.h"
#include "thunks.h"

// v8.h wants a newer C++ with each release of Node. These functions have been the same from Node 20 to 26.
namespace v8 {

class __attribute__((visibility("default"))) Isolate {
 public:
  using callback = void (*)(Isolate*);
  using callback_with_data = void (*)(Isolate*, void*);

  static Isolate* GetCurrent();
  void TerminateExecution();
  void CancelTerminateExecution();
  void PerformMicrotaskCheckpoint();
  bool HasPendingBackgroundTasks();
  void AddBeforeCallEnteredCallback(callback);
  void RemoveBeforeCallEnteredCallback(callback);
  void AddCallCompletedCallback(callback);
  void RemoveCallCompletedCallback(callback);
  void AddMicrotasksCompletedCallback(callback_with_data, void* data);
  void RemoveMicrotasksCompletedCallback(callback_with_data, void* data);
};

class __attribute__((visibility("default"))) TryCatch {
 public:
  explicit TryCatch(Isolate*);
  TryCatch(const TryCatch&) = delete;
  TryCatch& operator=(const TryCatch&) = delete;
  ~TryCatch();

  bool is_within_another() const { return next_ != nullptr; }

 private:
  void* isolate_;
  TryCatch* next_;
  void* others_[8];  // more than any release has
};

}  // namespace v8

namespace truefork::napi {

namespace {

bool lets_next_pass = false;

// No JavaScript runs while this gate is closed: whatever begins is terminated at its first step, before a statement,
// a catch or a finally of it. One termination would end only what is on the stack; libuv and Node then go on with what
// they were about, such as the next of several answers of the thread pool.
void terminate(v8::Isolate* isolate) { isolate->TerminateExecution(); }

// V8 up to Node 20 goes on failing whatever is asked of it once microtasks were terminated that Node ran by themselves,
// outside of a call, and Node aborts where it counts on V8, as at the end of a Worker. Within a TryCatch, though, what
// was terminated must be seen as such, or Node would take it for an uncaught error; there V8 forgets it by itself.
void terminate_after_microtasks(v8::Isolate* isolate, void* /*data*/) {
  if (!v8::TryCatch(isolate).is_within_another()) isolate->CancelTerminateExecution();
  isolate->TerminateExecution();
}

void terminate_unless_let_pass(v8::Isolate* isolate) {
  if (lets_next_pass) {
    lets_next_pass = false;
    isolate->CancelTerminateExecution();
  } else {
    isolate->TerminateExecution();
  }
}

void close_gate(v8::Isolate* isolate) {
  isolate->AddBeforeCallEnteredCallback(terminate_unless_let_pass);
  isolate->AddCallCompletedCallback(terminate);
  isolate->AddMicrotasksCompletedCallback(terminate_after_microtasks, nullptr);
  isolate->TerminateExecution();
}

void open_gate(v8::Isolate* isolate) {
  isolate->RemoveMicrotasksCompletedCallback(terminate_after_microtasks, nullptr);
  isolate->RemoveCallCompletedCallback(terminate);
  isolate->RemoveBeforeCallEnteredCallback(terminate_unless_let_pass);
  // V8 drops its whole queue of microtasks when one of them is terminated.
  isolate->TerminateExecution();
  isolate->PerformMicrotaskCheckpoint();
  isolate->CancelTerminateExecution();
}

class only_function {
 public:
  only_function(Napi::Env env, const Napi::Function& function)
      : isolate_(v8::Isolate::GetCurrent()), function_(Napi::Persistent(function)), context_(env, "truefork") {
    uv_update_time(event_loop(env));
    begin_ = uv_now(event_loop(env));
    uv_idle_init(event_loop(env), &idle_);
    idle_.data = this;
    uv_idle_start(&idle_, [](uv_idle_t* idle) { static_cast<only_function*>(idle->data)->come_round(); });
    // Before Node's own, as the latest comes first.
    uv_check_init(event_loop(env), &check_);
    check_.data = this;
    uv_check_start(&check_, [](uv_check_t* check) { terminate(static_cast<only_function*>(check->data)->isolate_); });
    close_gate(isolate_);
    fork::pause_timers(idle_.loop);
  }

 private:
  // Once all round, so that what was already on its way when the parent forked comes while the gate is closed. V8's
  // threads may have some of it, too: WebAssembly that they compile. What is compiled as it is read is never at an end.
  void come_round() {
    fork::pause_timers(idle_.loop);
    terminate(isolate_);
    constexpr uint64_t compilation_milliseconds = 1000;
    if (isolate_->HasPendingBackgroundTasks() && uv_now(idle_.loop) - begin_ < compilation_milliseconds) rounds_ = 0;
    if (++rounds_ < 3) return;  // what is told at its end may come a round later
    close();
    const Napi::Env env = function_.Env();
    const Napi::HandleScope scope(env);
    open_gate(isolate_);
    fork::resume_timers();
    function_.MakeCallback(env.Global(), std::initializer_list<napi_value>{}, context_);
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  // One after the other: the object goes with the last.
  void close() {
    uv_idle_stop(&idle_);
    uv_close(reinterpret_cast<uv_handle_t*>(&check_), [](uv_handle_t* check) {
      auto* const self = static_cast<only_function*>(check->data);
      uv_close(reinterpret_cast<uv_handle_t*>(&self->idle_),
               [](uv_handle_t* idle) { delete static_cast<only_function*>(idle->data); });
    });
  }

  v8::Isolate* isolate_;
  Napi::FunctionReference function_;
  Napi::AsyncContext context_;
  uv_idle_t idle_{};
  uv_check_t check_{};
  int rounds_ = 0;
  uint64_t begin_ = 0;
};

int exit_status = 0;

}  // namespace

// (function, whether the first call from outside must be let through): JavaScript stops at its next step.
Napi::Value run_only(const Napi::CallbackInfo& info) {
  lets_next_pass = info[1].As<Napi::Boolean>().Value();
  new only_function(info.Env(), info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

// () -> whether it is known from now on which handles are a MessagePort's; just made were a MessageChannel's two
Napi::Value know_message_ports(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), fork::know_message_ports(event_loop(info.Env())));
}

// (error): as if nobody had caught it
Napi::Value throw_uncaught(const Napi::CallbackInfo& info) {
  napi_fatal_exception(info.Env(), info[0]);
  return info.Env().Undefined();
}

// (status): from now on exit(3) runs nothing of what was registered for the parent's end, and ends with this status
Napi::Value exit_with(const Napi::CallbackInfo& info) {
  static const int registered = std::atexit([] { ::_exit(exit_status); });
  static_cast<void>(registered);
  exit_status = to_int(info[0]);
  return info.Env().Undefined();
}

// (fd) -> whether the event loop has a pipe or socket of this number
Napi::Value has_stream(const Napi::CallbackInfo& info) {
  struct search {
    int fd;
    bool found;
  } wanted{to_int(info[0]), false};
  const auto look = [](uv_handle_t* handle, void* argument) {
    if (handle->type != UV_NAMED_PIPE && handle->type != UV_TCP) return;
    auto* const wanted = static_cast<search*>(argument);
    int fd = -1;
    if (uv_fileno(handle, &fd) == 0 && fd == wanted->fd) wanted->found = true;
  };
  uv_walk(event_loop(info.Env()), look, &wanted);
  return Napi::Boolean::New(info.Env(), wanted.found);
}

}  // namespace truefork::napi
