// libuv's thread pool, brought to rest: a request that is under way at a fork would be done twice.
#ifndef TRUEFORK_FORK_POOL_BARRIER_H_
#define TRUEFORK_FORK_POOL_BARRIER_H_

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace truefork::fork {

// Every thread of the pool is given a request of ours, which waits. Requests are begun in their order: once ours
// have all begun, those before are done, and none begins until open().
class pool_barrier {
 public:
  pool_barrier();
  ~pool_barrier();
  pool_barrier(const pool_barrier&) = delete;
  pool_barrier& operator=(const pool_barrier&) = delete;

  // Waits so many milliseconds at most. 0, or -ETIMEDOUT with the pool going on as before.
  int close(uv_loop_t* loop, uint32_t limit_milliseconds);

  // In the parent, and in a child that has the pool's threads. Frees itself when the event loop comes to it.
  void open();

  // In a child that has none of them: nobody will finish our requests, and the event loop mustn't wait for it.
  void abandon(uv_loop_t* loop);

 private:
  static void wait(uv_work_t* request);
  static void finish(uv_work_t* request, int status);

  uv_mutex_t mutex_{};
  uv_cond_t changed_{};
  std::vector<uv_work_t> requests_;
  size_t arrived_ = 0;
  size_t finished_ = 0;
  bool open_ = false;
};

// Whether anything may be under way: this thread's requests, or those of Workers.
bool pool_may_be_busy(const uv_loop_t* loop);

// Remembers how many threads there are before the pool's: at load.
void note_threads_at_load();

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_POOL_BARRIER_H_
