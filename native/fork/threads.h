// Every other thread of this process: stopped, let go again, and brought to life in a child. Quiet code.
#ifndef TRUEFORK_FORK_THREADS_H_
#define TRUEFORK_FORK_THREADS_H_

#include <signal.h>
#include <sys/types.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>

namespace truefork::fork {

// What a function leaves to its caller, with stack and return address: threads_x86_64.S knows this layout.
struct thread_registers {
  uint64_t callee_saved[6];
  uint64_t stack_pointer;
  uint64_t return_address;
};

enum class slot_state : uint32_t { free, signalled, stopped, gone, of_kernel };

// One thread. The thread fills its slot in the signal handler, before it says that it has stopped.
struct thread_slot {
  uint32_t state;  // a slot_state
  pid_t tid;
  thread_registers registers;
  const ucontext_t* stopped_at;
  uint64_t thread_pointer;
  int* tid_address;  // &pthread->tid: what the kernel writes and clears
  void* robust_list;
  size_t robust_list_size;
  char name[16];
  uint64_t affinity[16];  // of 1,024 processors
  long affinity_size;
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } schedule;  // sched_attr of sched_getattr(2), its first version
};

// All that the stop and the revival share. One for the process; filled before the first signal is sent.
struct thread_table {
  thread_slot* slots;
  size_t capacity;
  size_t count;
  uint32_t generation;  // of this stop: a thread that is late to leave the last one must not pass this one's gate
  uint32_t gate;        // threads of generations up to this one may go on
  uint32_t arrived;     // how many have stopped, as a futex
  uint32_t expected;    // how many have been signalled: the last of them to stop wakes the forking thread
  pid_t process;
  pid_t self;
  // Where libc keeps a thread's rseq area, from the thread pointer; size 0 where it registers none (glibc < 2.35).
  ptrdiff_t rseq_offset;
  uint32_t rseq_size;
};

// The kernel's own struct sigaction: libc's refuses the signal that we use.
struct kernel_sigaction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

struct stop_outcome {
  int failure = 0;  // a negative error number: -ETIMEDOUT where a thread doesn't stop, -ENOSPC where slots ran out
  pid_t tid = 0;    // of the thread that didn't
};

// Whether the signal that stops threads can be caught at all.
bool can_catch_stop_signal() noexcept;

// Stops every thread but the calling one, which must have all signals blocked. After a failure none is stopped.
stop_outcome stop_threads(thread_table& table, int64_t limit_nanoseconds) noexcept;

// Lets the stopped threads go on: in the parent, or in the child once they have been revived.
void release_threads(thread_table& table) noexcept;

// In the child: makes each stopped thread anew, waiting at the gate. 0 or a negative error number.
int revive_threads(const thread_table& table) noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_THREADS_H_
