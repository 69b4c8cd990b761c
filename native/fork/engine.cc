#include "engine.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "../platform/platform.h"
#include "record.h"
#include "shared_pipes.h"

namespace truefork::fork {

namespace {

constexpr size_t spare_slots = 64;  // threads that start between the count and the stop, and those that end

// Where libc registers each thread's rseq area: glibc tells since 2.35.
void find_rseq(thread_table& threads) {
  const auto* const offset = static_cast<const ptrdiff_t*>(dlsym(RTLD_DEFAULT, "__rseq_offset"));
  const auto* const size = static_cast<const unsigned int*>(dlsym(RTLD_DEFAULT, "__rseq_size"));
  if (offset == nullptr || size == nullptr || *size == 0) return;
  threads.rseq_offset = *offset;
  // The kernel was told at least the 32 bytes of the first version, though glibc 2.40 exports the feature size.
  threads.rseq_size = std::max(32U, *size);
}

int prepare_slots(thread_table& threads) {
  const size_t running = platform::count_threads();
  if (running == 0) return -ENOENT;  // no /proc
  const size_t wanted = running * 2 + spare_slots;
  if (running + spare_slots <= threads.capacity) return 0;
  auto* const slots = new (std::nothrow) thread_slot[wanted]{};
  if (slots == nullptr) return -ENOMEM;
  // The old ones stay: a thread of the last stop may still be on its way out of its own.
  threads.slots = slots;
  threads.capacity = wanted;
  return 0;
}

// Where libc has its locks, inner functions included: what it exports of them, and a good way around. Its objects
// are linked folder by folder, and nptl is one; before glibc 2.34 it was a library of its own.
text_range find_lock_text() {
  constexpr const char* exported[] = {
      "pthread_attr_init",
      "pthread_barrier_wait",
      "pthread_cond_signal",
      "pthread_cond_timedwait",
      "pthread_cond_wait",
      "pthread_create",
      "pthread_join",
      "pthread_mutex_init",
      "pthread_mutex_lock",
      "pthread_mutex_timedlock",
      "pthread_mutex_trylock",
      "pthread_mutex_unlock",
      "pthread_once",
      "pthread_rwlock_rdlock",
      "pthread_rwlock_timedwrlock",
      "pthread_rwlock_unlock",
      "pthread_rwlock_wrlock",
      "sem_wait",
  };
  constexpr uint64_t way_around = 0x10000;
  text_range found{~uint64_t{0}, 0};
  for (const char* name : exported) {
    const auto address = reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, name));
    if (address == 0) continue;
    found.start = std::min(found.start, address - way_around);
    found.end = std::max(found.end, address + way_around);
  }
  return found;
}

uint64_t device_of_pipes() {
  int ends[2];
  struct stat status {};
  if (platform::pipe2(ends, 02000000) != 0) return 0;
  fstat(ends[0], &status);
  close(ends[0]);
  close(ends[1]);
  return status.st_dev;
}

engine& instance() {
  static engine* const only = [] {
    auto* const made = new engine{};
    made->heap = &heap_of_process();
    find_rseq(made->threads);
    made->owners.lock_text = find_lock_text();
    made->descriptors.pipe_device = device_of_pipes();
    return made;
  }();
  return *only;
}

}  // namespace

void prepare_at_load() {
  prepare_record();
  track_heap();
  start_noting_watches();
  why_not_all_threads();  // while descriptors are free, and the process has what rights it has
}

engine* prepare_engine(int& failure, const char*& step) {
  engine& prepared = instance();
  failure = prepare_slots(prepared.threads);
  step = failure == -ENOMEM ? "mmap" : "stat";
  if (failure != 0) return nullptr;
  step = "mmap";
  failure = list_shared_pipes(prepared.descriptors.shared_inodes);
  if (failure == 0) failure = list_watch_paths(prepared.descriptors.watches, prepared.descriptors.watch_text);
  if (failure != 0) return nullptr;
  void* const page = mmap(nullptr, sizeof(verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    failure = -errno;
    return nullptr;
  }
  prepared.child = static_cast<verdict*>(page);
  step = "fopen";
  failure = prepared.heap->find();
  if (failure != 0) {
    release_engine(prepared);
    return nullptr;
  }
  step = nullptr;
  return &prepared;
}

thread_table* prepare_stop(int& failure) {
  thread_table& threads = instance().threads;
  failure = prepare_slots(threads);
  return failure == 0 ? &threads : nullptr;
}

void release_engine(engine& prepared) {
  munmap(prepared.child, sizeof(verdict));
  prepared.child = nullptr;
}

}  // namespace truefork::fork
