// fork(2) for a process full of threads.
#ifndef TRUEFORK_FORK_FORK_H_
#define TRUEFORK_FORK_FORK_H_

#include <signal.h>
#include <sys/types.h>
#include <uv.h>

#include <string>
#include <vector>

namespace truefork::fork {

struct fork_outcome {
  pid_t pid = 0;               // the child's pid in the parent, 0 in the child; negative: an error number
  const char* step = nullptr;  // the call that failed
  pid_t tid = 0;               // of the thread that didn't stop, where that is what failed
};

// POSIX's own fork: the child has the calling thread alone, with V8's heap and an event loop of its own.
// `debugger_sockets`: those that Node's inspector listens on. They and what they accepted stay the parent's alone.
fork_outcome fork_caller(uv_loop_t* loop, const std::vector<int>& debugger_sockets);

// Whatever has to be known from the start. Call it when the addon is loaded; once is enough.
void prepare_at_load();

// Null where fork_all works, else what stands in its way, in words.
const char* why_not_all_threads();

// Every thread of this process lives on in the child, with kernel objects of its own. -ENOSYS where the platform
// can't. The inspector's sockets as above. With a ring of io_uring it fails by the step io_uring_setup, unless the two
// are to share it.
fork_outcome fork_all(bool share_rings, const std::vector<int>& debugger_sockets);

struct unrebuilt_descriptor {
  int fd;
  std::string kind;  // as in /proc: inotify, fanotify, io_uring, ...
};

// What fork_all can't make anew for the child. What can't be read isn't found.
std::vector<unrebuilt_descriptor> unrebuilt_descriptors();

// Leaves a pipe, or a socketpair, to be one for parent and child: fork_all makes anew those that a process has
// for itself alone.
void share_pipe(int fd);

// Has every other thread block these signals, too, those that tell of a fault in the thread itself excepted. Where
// fork_all can't be had they stay as they are. 0 or a negative error number.
int block_in_other_threads(const sigset_t& signals);

// Keeps track of V8's heap, so that it needn't be looked for at each fork.
void track_heap();

struct left_out_memory {
  uint64_t start;
  uint64_t end;
  std::string name;  // a path, or empty
};

// Memory that somebody else than V8 has marked MADV_DONTFORK, by libc's madvise(2): a child hasn't got it.
std::vector<left_out_memory> memory_left_out();

// V8's heap, made copyable for one fork, and put back in both processes. begin returns 0 or a negative error number,
// with nothing changed; until end V8 maps and unmaps nothing.
int begin_heap_copy();
void end_heap_copy() noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_FORK_H_
