#include "pool_barrier.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "../platform/platform.h"

namespace truefork::fork {

namespace {

size_t threads_at_load = 0;
size_t pool_size_at_load = 0;

// libuv's rule, threadpool.c: 4 unless the environment says otherwise, 1 to 1,024.
size_t pool_size_of_environment() {
  const char* value = getenv("UV_THREADPOOL_SIZE");
  if (value == nullptr) return 4;
  return static_cast<size_t>(std::clamp(atoi(value), 1, 1024));
}

// A request for a name, which libuv has done by a part of its threads only, in the order in which they came. Others of
// its kind wait in a queue of their own meanwhile, and work that comes later is done before them.
class slow_request {
 public:
  // Deletes itself once it has been told of its end. Null if it can't be made.
  static const slow_request* begin(uv_loop_t* loop) {
    auto* const self = new slow_request;
    self->request_.data = self;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    const auto finish = [](uv_getnameinfo_t* request, int /*status*/, const char* /*host*/, const char* /*service*/) {
      delete static_cast<slow_request*>(request->data);
    };
    if (uv_getnameinfo(loop, &self->request_, finish, reinterpret_cast<sockaddr*>(&address),
                       NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
      return self;
    }
    delete self;
    return nullptr;
  }

  bool is_done(uv_loop_t* loop) const {
    uv_mutex_lock(&loop->wq_mutex);
    const bool done = request_.work_req.work == nullptr;  // as uv_cancel knows it
    uv_mutex_unlock(&loop->wq_mutex);
    return done;
  }

 private:
  uv_getnameinfo_t request_{};
};

// Once one more is done, all before it have at least begun: whoever has every thread then has seen their end.
bool begins_slow_work(uv_loop_t* loop, uint64_t deadline) {
  const slow_request* const request = slow_request::begin(loop);
  if (request == nullptr) return true;
  while (!request->is_done(loop)) {
    if (uv_hrtime() >= deadline) return false;
    constexpr timespec moment{0, 20'000};
    nanosleep(&moment, nullptr);
  }
  return true;
}

}  // namespace

void note_threads_at_load() {
  if (pool_size_at_load != 0) return;
  threads_at_load = platform::count_threads();
  pool_size_at_load = pool_size_of_environment();
}

pool_barrier::pool_barrier() {
  uv_mutex_init(&mutex_);
  uv_cond_init(&changed_);
}

pool_barrier::~pool_barrier() {
  uv_cond_destroy(&changed_);
  uv_mutex_destroy(&mutex_);
}

bool pool_may_be_busy(const uv_loop_t* loop) {
  return loop->active_reqs.count != 0 || platform::count_threads() > threads_at_load;
}

int pool_barrier::close(uv_loop_t* loop, uint32_t limit_milliseconds) {
  const uint64_t deadline = uv_hrtime() + uint64_t{limit_milliseconds} * 1'000'000;
  if (loop->active_reqs.count != 0 && !begins_slow_work(loop, deadline)) return -ETIMEDOUT;
  requests_.resize(pool_size_at_load);
  for (uv_work_t& request : requests_) {
    request.data = this;
    uv_queue_work(loop, &request, wait, finish);
  }
  uv_mutex_lock(&mutex_);
  uint64_t now = uv_hrtime();
  while (arrived_ < requests_.size() && now < deadline) {
    uv_cond_timedwait(&changed_, &mutex_, deadline - now);
    now = uv_hrtime();
  }
  const bool closed = arrived_ == requests_.size();
  uv_mutex_unlock(&mutex_);
  return closed ? 0 : -ETIMEDOUT;
}

void pool_barrier::open() {
  uv_mutex_lock(&mutex_);
  open_ = true;
  uv_cond_broadcast(&changed_);
  uv_mutex_unlock(&mutex_);
  if (requests_.empty()) delete this;  // nobody is to come
}

void pool_barrier::abandon(uv_loop_t* loop) {
  loop->active_reqs.count -= static_cast<unsigned>(requests_.size());
  // What was done before, but not yet told: libuv forgets in uv_loop_fork that it had something to tell.
  uv_async_send(&loop->wq_async);
}

void pool_barrier::wait(uv_work_t* request) {
  auto* const self = static_cast<pool_barrier*>(request->data);
  uv_mutex_lock(&self->mutex_);
  if (++self->arrived_ == self->requests_.size()) uv_cond_broadcast(&self->changed_);
  while (!self->open_) uv_cond_wait(&self->changed_, &self->mutex_);
  uv_mutex_unlock(&self->mutex_);
}

void pool_barrier::finish(uv_work_t* request, int /*status*/) {
  auto* const self = static_cast<pool_barrier*>(request->data);
  if (++self->finished_ == self->requests_.size()) delete self;
}

}  // namespace truefork::fork
