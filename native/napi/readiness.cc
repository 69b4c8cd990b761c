#include "readiness.h"

#include <initializer_list>

#include "../posix/poll.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

uv_handle_t* as_handle(uv_poll_t* poll) { return reinterpret_cast<uv_handle_t*>(poll); }

readiness* to_readiness(const Napi::Value& value) { return value.As<Napi::External<readiness>>().Data(); }

}  // namespace

readiness::readiness(Napi::Env env, const Napi::Function& callback)
    : loop_(event_loop(env)), callback_(Napi::Persistent(callback)), context_(env, "truefork") {}

int readiness::open(int fd) {
  const int failure = uv_poll_init(loop_, &poll_, fd);
  if (failure != 0) return failure;
  poll_.data = this;
  const auto at_end = [](napi_async_cleanup_hook_handle /*hook*/, void* self) {
    static_cast<readiness*>(self)->close();
  };
  napi_add_async_cleanup_hook(callback_.Env(), at_end, this, &hook_);
  return 0;
}

void readiness::free() { delete this; }

int readiness::watch(int events) {
  if (events == 0) return uv_poll_stop(&poll_);
  return uv_poll_start(&poll_, events, [](uv_poll_t* poll, int status, int ready) {
    static_cast<readiness*>(poll->data)->tell(status == 0 ? ready : 0);
  });
}

void readiness::reference(bool keeps_loop) { (keeps_loop ? uv_ref : uv_unref)(as_handle(&poll_)); }

void readiness::tell(int events) {
  const Napi::Env env = callback_.Env();
  const Napi::HandleScope scope(env);
  callback_.MakeCallback(env.Global(), std::initializer_list<napi_value>{to_number(env, events)}, context_);
  if (!env.IsExceptionPending()) return;
  // null: V8's own, in a child that gives up all that is on the stack.
  const Napi::Error error = env.GetAndClearPendingException();
  if (!error.Value().IsNull()) napi_fatal_exception(env, error.Value());
}

void readiness::close() {
  if (uv_is_closing(as_handle(&poll_)) != 0) return;
  uv_close(as_handle(&poll_), [](uv_handle_t* handle) {
    auto* const self = static_cast<readiness*>(handle->data);
    auto* const hook = self->hook_;
    delete self;
    napi_remove_async_cleanup_hook(hook);
  });
}

// (fd, callback) -> [0 or a negative error number, what the following take as their first]
Napi::Value on_ready(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* const watched = new readiness(env, info[1].As<Napi::Function>());
  const int failure = watched->open(to_int(info[0]));
  Napi::Array result = to_array(env, {failure});
  if (failure == 0)
    result.Set(1U, Napi::External<readiness>::New(env, watched));
  else
    watched->free();
  return result;
}

// (readiness, events) -> 0 or a negative error number
Napi::Value watch_ready(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), to_readiness(info[0])->watch(to_int(info[1])));
}

// (readiness, whether the event loop goes on for it)
Napi::Value reference_ready(const Napi::CallbackInfo& info) {
  to_readiness(info[0])->reference(info[1].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

// (readiness): it is gone then
Napi::Value close_ready(const Napi::CallbackInfo& info) {
  to_readiness(info[0])->close();
  return info.Env().Undefined();
}

// (fd, events, milliseconds or -1) -> the events that have come, 0: none in time, or a negative error number
Napi::Value poll_ready(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::poll_one(to_int(info[0]), to_int(info[1]), to_int(info[2])));
}

}  // namespace truefork::napi
