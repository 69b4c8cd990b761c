#include "word_watch.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "../platform/futex.h"
#include "marshal.h"
#include "shared.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// Never destroyed: a Worker may still be ending when static objects are torn down.
struct registry {
  std::mutex mutex;
  std::vector<word_watch*> watches;
};

registry& all() {
  static auto* const instance = new registry;
  return *instance;
}

// Looks come ever more seldom, in milliseconds.
constexpr int first_pause = 10;
constexpr int longest_pause = 500;

constexpr size_t stack_size = size_t{1} << 18U;

}  // namespace

bool word_sleeper::has_room() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return watched_.size() + 1 < platform::most_futexes();  // one is its own
}

int word_sleeper::add(int token, watched_word watched) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int failure = start();
  if (failure != 0) return failure;
  watched_.emplace(token, std::move(watched));
  ++changes_;
  platform::futex_wake(&changes_, 1);
  return 0;
}

void word_sleeper::remove(int token) {
  const std::lock_guard<std::mutex> lock(mutex_);
  watched_.erase(token);
  told_.erase(std::remove(told_.begin(), told_.end(), token), told_.end());
  ++changes_;
  platform::futex_wake(&changes_, 1);
}

void word_sleeper::take_told(std::vector<int>& tokens) {
  const std::lock_guard<std::mutex> lock(mutex_);
  tokens.insert(tokens.end(), told_.begin(), told_.end());
  told_.clear();
}

int word_sleeper::start() {
  if (has_thread_) return 0;
  uv_thread_options_t options{};
  options.flags = UV_THREAD_HAS_STACK_SIZE;
  options.stack_size = stack_size;
  // No signal of the program's is for this thread, which can't run its handlers' JavaScript.
  sigset_t every;
  sigset_t previous;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &previous);
  const auto body = [](void* self) { static_cast<word_sleeper*>(self)->run(); };
  const int failure = uv_thread_create_ex(&thread_, &options, body, this);
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  has_thread_ = failure == 0;
  return failure;
}

void word_sleeper::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!has_thread_) return;
    is_stopping_ = true;
    ++changes_;
    platform::futex_wake(&changes_, 1);
  }
  uv_thread_join(&thread_);
}

void word_sleeper::run() {
  platform::name_thread("truefork-waits");
  std::vector<platform::futex_watch> words;
  // What the kernel sleeps on stays mapped.
  std::vector<std::shared_ptr<posix::shared_segment>> segments;
  int pause = first_pause;
  uint32_t seen = 0;
  for (;;) {
    bool looks = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (is_stopping_) return;
      if (seen != changes_) pause = first_pause;
      seen = changes_;
      words.assign(1, {&changes_, changes_});
      segments.clear();
      for (const auto& [token, watched] : watched_) {
        words.push_back({watched.word, watched.expected});
        segments.push_back(watched.segment);
        looks = looks || watched.looks;
      }
    }
    const uint64_t begin = uv_hrtime();
    platform::futex_wait_any(words.data(), words.size(), looks ? pause : -1);
    const bool has_paused = uv_hrtime() - begin >= static_cast<uint64_t>(pause) * 1'000'000;
    if (tell_changed(looks && has_paused)) uv_async_send(async_);
    if (has_paused) pause = std::min(pause * 2, longest_pause);
  }
}

bool word_sleeper::tell_changed(bool tells_looks) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto each = watched_.begin(); each != watched_.end();) {
    const watched_word& watched = each->second;
    const uint32_t present = __atomic_load_n(watched.word, __ATOMIC_SEQ_CST);
    if (present == watched.expected && !(tells_looks && watched.looks)) {
      ++each;
      continue;
    }
    told_.push_back(each->first);
    each = watched_.erase(each);
  }
  return !told_.empty();
}

void word_sleeper::unlock_in_child(bool has_thread, bool tells) {
  if (!has_thread) has_thread_ = false;
  if (!tells) {
    mutex_.unlock();
    return;
  }
  for (const auto& [token, watched] : watched_) told_.push_back(token);
  watched_.clear();
  mutex_.unlock();
}

word_watch::word_watch(Napi::Env env, const Napi::Function& callback)
    : loop_(event_loop(env)), callback_(Napi::Persistent(callback)), context_(env, "truefork") {
  uv_async_init(loop_, &async_, [](uv_async_t* async) { static_cast<word_watch*>(async->data)->tell(); });
  async_.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&async_));
  const auto at_end = [](napi_async_cleanup_hook_handle /*hook*/, void* self) {
    static_cast<word_watch*>(self)->close();
  };
  napi_add_async_cleanup_hook(env, at_end, this, &hook_);
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().watches.push_back(this);
}

word_sleeper& word_watch::with_room() {
  const auto found =
      std::find_if(sleepers_.begin(), sleepers_.end(), [](const auto& sleeper) { return sleeper->has_room(); });
  if (found != sleepers_.end()) return **found;
  // A fork in another thread goes through the list.
  const std::lock_guard<std::mutex> lock(all().mutex);
  sleepers_.push_back(std::make_unique<word_sleeper>(&async_));
  return *sleepers_.back();
}

int word_watch::watch(watched_word watched) {
  if (platform::most_futexes() == 0) return -ENOSYS;
  word_sleeper& sleeper = with_room();
  const int token = next_token_;
  const int failure = sleeper.add(token, std::move(watched));
  if (failure != 0) return failure;
  next_token_ = (next_token_ + 1) & 0x7fffffff;
  if (tokens_.empty()) uv_ref(reinterpret_cast<uv_handle_t*>(&async_));
  tokens_.emplace(token, &sleeper);
  return token;
}

void word_watch::unwatch(int token) {
  const auto found = tokens_.find(token);
  if (found == tokens_.end()) return;
  found->second->remove(token);
  forget(token);
}

void word_watch::forget(int token) {
  tokens_.erase(token);
  if (tokens_.empty()) uv_unref(reinterpret_cast<uv_handle_t*>(&async_));
}

void word_watch::tell() {
  std::vector<int> told;
  for (const auto& sleeper : sleepers_) sleeper->take_told(told);
  if (told.empty()) return;
  const Napi::Env env = callback_.Env();
  const Napi::HandleScope scope(env);
  Napi::Array list = Napi::Array::New(env, told.size());
  for (uint32_t i = 0; i < told.size(); ++i) {
    list.Set(i, to_number(env, told[i]));
    forget(told[i]);
  }
  callback_.MakeCallback(env.Global(), std::initializer_list<napi_value>{list}, context_);
  if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}

void word_watch::close() {
  {
    const std::lock_guard<std::mutex> lock(all().mutex);
    auto& watches = all().watches;
    watches.erase(std::remove(watches.begin(), watches.end(), this), watches.end());
  }
  sleepers_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), [](uv_handle_t* handle) {
    auto* const self = static_cast<word_watch*>(handle->data);
    auto* const hook = self->hook_;
    delete self;
    napi_remove_async_cleanup_hook(hook);
  });
}

word_watches_at_fork::word_watches_at_fork(uv_loop_t* loop, bool all_threads) : loop_(loop), all_threads_(all_threads) {
  all().mutex.lock();
  for (word_watch* const watch : all().watches) {
    for (const auto& sleeper : watch->sleepers_) sleeper->lock_for_fork();
  }
}

word_watches_at_fork::~word_watches_at_fork() {
  if (!is_child_) {
    for (word_watch* const watch : all().watches) {
      for (const auto& sleeper : watch->sleepers_) sleeper->unlock_in_parent();
    }
  }
  all().mutex.unlock();
}

void word_watches_at_fork::unlock_in_child(bool tells_main) {
  is_child_ = true;
  auto& watches = all().watches;
  for (word_watch* const watch : watches) {
    const bool tells = tells_main || watch->loop_ != loop_;
    for (const auto& sleeper : watch->sleepers_) sleeper->unlock_in_child(all_threads_, tells);
  }
  if (!all_threads_) {
    const auto is_lost = [this](const word_watch* watch) { return watch->loop_ != loop_; };
    watches.erase(std::remove_if(watches.begin(), watches.end(), is_lost), watches.end());
  }
  for (word_watch* const watch : watches) uv_async_send(&watch->async_);
}

// (callback): see word_watch -> what the following take as their first
Napi::Value on_words(const Napi::CallbackInfo& info) {
  return Napi::External<word_watch>::New(info.Env(), new word_watch(info.Env(), info[0].As<Napi::Function>()));
}

// (watch, block, offset, expected value, whether it is told now and then) -> token or a negative error number
Napi::Value watch_word(const Napi::CallbackInfo& info) {
  const posix::shared_block& block = to_block(info[1]);
  auto* const word = static_cast<char*>(block.data()) + to_int(info[2]);
  watched_word watched{reinterpret_cast<uint32_t*>(word), info[3].As<Napi::Number>().Uint32Value(),
                       info[4].As<Napi::Boolean>().Value(), block.segment()};
  return to_number(info.Env(), info[0].As<Napi::External<word_watch>>().Data()->watch(std::move(watched)));
}

// (watch, token)
Napi::Value unwatch_word(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<word_watch>>().Data()->unwatch(to_int(info[1]));
  return info.Env().Undefined();
}

}  // namespace truefork::napi
