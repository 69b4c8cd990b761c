// A descriptor where none is left. Linux alone.
#ifndef TRUEFORK_PLATFORM_SPARE_DESCRIPTOR_H_
#define TRUEFORK_PLATFORM_SPARE_DESCRIPTOR_H_

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

namespace truefork::platform {

// Runs `work` where a descriptor is free though this process's table is full: on a thread with a copy of the
// table, of which one is closed. The process's own table and record locks don't notice; unshare(2).
template <typename Work>
int with_spare_descriptor(Work work) {
  struct task_type {
    Work& work;
    int result;
  } task{work, -EMFILE};
  const auto run = [](void* argument) -> void* {
    auto* const own = static_cast<task_type*>(argument);
    if (unshare(CLONE_FILES) != 0) {
      own->result = -errno;
    } else {
      close(STDERR_FILENO);
      own->result = own->work();
    }
    return nullptr;
  };
  pthread_t thread{};
  const int failure = pthread_create(&thread, nullptr, run, &task);
  if (failure != 0) return -failure;
  pthread_join(thread, nullptr);
  return task.result;
}

}  // namespace truefork::platform

#endif  // TRUEFORK_PLATFORM_SPARE_DESCRIPTOR_H_
