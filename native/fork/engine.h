// What fork_all needs at hand before it stops the first thread: nothing can be allocated afterwards.
#ifndef TRUEFORK_FORK_ENGINE_H_
#define TRUEFORK_FORK_ENGINE_H_

#include <sys/resource.h>

#include "descriptors.h"
#include "fork.h"
#include "heap.h"
#include "owners.h"
#include "threads.h"

namespace truefork::fork {

// How the child fares, in memory that it shares with its parent.
struct verdict {
  enum answer : uint32_t { pending, whole, failed };
  uint32_t state;  // an answer, and a futex
  int failure;
  const char* step;  // a constant: it has the same address in both
};

struct engine {
  thread_table threads;
  descriptor_table descriptors;
  copied_heap* heap;
  owner_table owners;
  verdict* child;
  uint64_t mask;  // the forking thread's, while all signals are blocked
  rlimit64 descriptor_limit;
  int* tid_address;  // the forking thread's
  void* robust_list;
  size_t robust_list_size;
};

// The fork itself, with all of it prepared. Quiet code.
fork_outcome fork_prepared(engine& prepared) noexcept;

// Prepares all of it, V8's heap included. Returns null and fills `failure` and `step` where that fails.
engine* prepare_engine(int& failure, const char*& step);

// Prepares what stop_threads needs. Null, with `failure` filled, where that fails.
thread_table* prepare_stop(int& failure);

// Gives back what serves one fork only.
void release_engine(engine& prepared);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_ENGINE_H_
