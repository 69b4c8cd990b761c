#include "exit_watch.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "../platform/exits.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// Never destroyed: a Worker may still be ending when static objects are torn down.
struct registry {
  std::mutex mutex;
  std::vector<exit_watch*> watches;
};

registry& all() {
  static auto* const instance = new registry;
  return *instance;
}

uv_handle_t* as_handle(void* handle) { return static_cast<uv_handle_t*>(handle); }

}  // namespace

exit_watch::exit_watch(Napi::Env env, const Napi::Function& callback, bool keeps_loop_going)
    : loop_(event_loop(env)),
      keeps_loop_going_(keeps_loop_going),
      callback_(Napi::Persistent(callback)),
      context_(env, "truefork") {
  uv_async_init(loop_, &all_, [](uv_async_t* async) {
    auto* const self = static_cast<exit_watch*>(async->data);
    uv_unref(as_handle(async));
    self->call(self->callback_.Env().Null());
  });
  all_.data = this;
  ++open_handles_;
  uv_unref(as_handle(&all_));
  const auto at_end = [](napi_async_cleanup_hook_handle /*hook*/, void* self) {
    static_cast<exit_watch*>(self)->close();
  };
  napi_add_async_cleanup_hook(env, at_end, this, &hook_);
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().watches.push_back(this);
}

// The environment is kept alive for it by the hook.
exit_watch::~exit_watch() = default;

int exit_watch::open() {
  if (descriptor_ >= 0) return 0;
  const int descriptor = platform::open_exit_watch();
  if (descriptor < 0) return descriptor;
  auto* const poll = new uv_poll_t;
  const int failure = uv_poll_init(loop_, poll, descriptor);
  if (failure != 0) {
    delete poll;
    platform::leave_exit_watch_to_parent(descriptor);
    return failure;
  }
  poll->data = this;
  if (!keeps_loop_going_) uv_unref(as_handle(poll));
  ++open_handles_;
  poll_ = poll;
  descriptor_ = descriptor;
  return 0;
}

int exit_watch::noted(int token) {
  if (token < 0) return token;
  tokens_.insert(token);
  if (uv_is_active(as_handle(poll_)) == 0) listen();
  return token;
}

int exit_watch::watch(pid_t pid) {
  const int failure = open();
  return failure != 0 ? failure : noted(platform::watch_exit(descriptor_, pid));
}

int exit_watch::watch_pidfd(int pidfd) {
  const int failure = open();
  return failure != 0 ? failure : noted(platform::watch_exit_of_pidfd(descriptor_, pidfd));
}

void exit_watch::unwatch(int token) {
  platform::unwatch_exit(descriptor_, token);
  tokens_.erase(token);
  if (tokens_.empty()) stop_listening();
}

void exit_watch::listen() {
  uv_poll_start(poll_, UV_READABLE,
                [](uv_poll_t* poll, int /*status*/, int /*events*/) { static_cast<exit_watch*>(poll->data)->tell(); });
}

void exit_watch::stop_listening() {
  if (poll_ != nullptr) uv_poll_stop(poll_);
}

// What doesn't fit is told in the next round of the event loop: others have their turn between.
void exit_watch::tell() {
  int tokens[256];
  const size_t count = platform::take_exits(descriptor_, tokens, std::size(tokens));
  if (count == 0) return;
  const Napi::Env env = callback_.Env();
  const Napi::HandleScope scope(env);
  Napi::Array list = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; ++i) list.Set(i, to_number(env, tokens[i]));
  call(list);
}

void exit_watch::call(const Napi::Value& tokens) {
  const Napi::Env env = callback_.Env();
  const Napi::HandleScope scope(env);
  callback_.MakeCallback(env.Global(), std::initializer_list<napi_value>{tokens}, context_);
  if (!env.IsExceptionPending()) return;
  // null: V8's own, in a child that gives up all that is on the stack.
  const Napi::Error error = env.GetAndClearPendingException();
  if (!error.Value().IsNull()) napi_fatal_exception(env, error.Value());
}

// In a child whose event loop is a copy: the descriptor is the parent's, or gone.
void exit_watch::start_anew() {
  if (poll_ != nullptr) close_poll();
  if (descriptor_ >= 0) platform::leave_exit_watch_to_parent(descriptor_);
  descriptor_ = -1;
}

void exit_watch::forget_all() {
  for (const int token : tokens_) platform::unwatch_exit(descriptor_, token);
  tokens_.clear();
  start_anew();
}

void exit_watch::close_poll() {
  uv_close(as_handle(poll_), [](uv_handle_t* handle) {
    auto* const self = static_cast<exit_watch*>(handle->data);
    delete reinterpret_cast<uv_poll_t*>(handle);
    self->free_when_closed();
  });
  poll_ = nullptr;
}

void exit_watch::close() {
  {
    const std::lock_guard<std::mutex> lock(all().mutex);
    auto& watches = all().watches;
    watches.erase(std::remove(watches.begin(), watches.end(), this), watches.end());
  }
  for (const int token : tokens_) platform::unwatch_exit(descriptor_, token);
  if (poll_ != nullptr) close_poll();
  uv_close(as_handle(&all_), [](uv_handle_t* handle) { static_cast<exit_watch*>(handle->data)->free_when_closed(); });
}

void exit_watch::free_when_closed() {
  if (--open_handles_ > 0) return;
  if (descriptor_ >= 0) platform::leave_exit_watch_to_parent(descriptor_);
  auto* const hook = hook_;
  delete this;
  napi_remove_async_cleanup_hook(hook);
}

exit_watches_at_fork::exit_watches_at_fork(uv_loop_t* loop, bool all_threads) : loop_(loop), all_threads_(all_threads) {
  // The child mustn't inherit it locked by a thread that isn't there.
  all().mutex.lock();
  if (all_threads_) return;
  // The event loop of such a child would register the parent's descriptor, or one that isn't there.
  for (exit_watch* const watch : all().watches) {
    if (watch->loop_ == loop_) watch->stop_listening();
  }
}

exit_watches_at_fork::~exit_watches_at_fork() {
  for (exit_watch* const watch : all().watches) {
    if (watch->loop_ == loop_ && watch->poll_ != nullptr && !watch->tokens_.empty()) watch->listen();
  }
  all().mutex.unlock();
}

void exit_watches_at_fork::in_child() {
  auto& watches = all().watches;
  if (!all_threads_) {
    const auto is_lost = [this](const exit_watch* watch) { return watch->loop_ != loop_; };
    watches.erase(std::remove_if(watches.begin(), watches.end(), is_lost), watches.end());
  }
  for (exit_watch* const watch : watches) {
    if (!all_threads_) watch->start_anew();
    if (watch->loop_ == loop_) uv_ref(as_handle(&watch->all_));
    uv_async_send(&watch->all_);
  }
}

void exit_watches_at_fork::forget_in_child() {
  if (!all_threads_) {
    in_child();
    return;
  }
  // The watch of a child with all threads is its own already.
  for (exit_watch* const watch : all().watches) {
    if (watch->loop_ == loop_) watch->forget_all();
  }
}

// (callback, whether it keeps the event loop going): see exit_watch -> what the following take as their first
Napi::Value on_exits(const Napi::CallbackInfo& info) {
  auto* const watch = new exit_watch(info.Env(), info[0].As<Napi::Function>(), info[1].As<Napi::Boolean>().Value());
  return Napi::External<exit_watch>::New(info.Env(), watch);
}

// (watch, whether it is a pidfd, pid or pidfd) -> token or a negative error number
Napi::Value watch_exit(const Napi::CallbackInfo& info) {
  exit_watch* const watch = info[0].As<Napi::External<exit_watch>>().Data();
  const int id = to_int(info[2]);
  return to_number(info.Env(), info[1].As<Napi::Boolean>().Value() ? watch->watch_pidfd(id) : watch->watch(id));
}

// (watch, token)
Napi::Value unwatch_exit(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<exit_watch>>().Data()->unwatch(to_int(info[1]));
  return info.Env().Undefined();
}

}  // namespace truefork::napi
