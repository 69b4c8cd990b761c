// What a fork leaves in its child for whoever asks later why that doesn't move: which threads there were, and what
// became of them. Another process finds it by the name of its mapping in /proc/<pid>/maps. Quiet code.
#ifndef TRUEFORK_FORK_RECORD_H_
#define TRUEFORK_FORK_RECORD_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace truefork::fork {

struct thread_table;

enum class kept_threads : uint32_t { not_forked, all, caller };
enum class lock_kind : uint32_t { mutex, rwlock };

struct noted_thread {
  pid_t tid;       // in the parent
  pid_t tid_here;  // in the child; 0: it has no such thread
  char name[16];
};

struct noted_lock {
  uint64_t address;
  pid_t tid;
  pid_t tid_here;
  lock_kind kind;
  uint32_t unused;
};

// A thread that had another tid in a forefather: locks that aren't rewritten may still bear that.
struct former_tid {
  pid_t tid;
  pid_t tid_here;
};

// Of fixed size, at the start of its mapping. Its bytes are read by other processes, whose build may be another: what
// changes here changes `layout`.
struct fork_record {
  static constexpr char mark[16] = "truefork record";
  static constexpr uint32_t this_layout = 1;
  static constexpr size_t most_threads = 512;
  static constexpr size_t most_former = 1024;
  static constexpr size_t most_locks = 64;

  char magic[16];
  uint32_t layout;
  pid_t process;  // whose it is; another: the process was copied by a fork of somebody else's. 0: it's being written
  pid_t parent;
  kept_threads kept;
  int64_t time;           // of the fork, in nanoseconds since 1970
  uint32_t thread_count;  // of all there were, though only so many are noted
  uint32_t former_count;
  uint32_t lock_count;
  uint32_t former_lost;  // former tids that found no room
  noted_thread threads[most_threads];
  former_tid former[most_former];
  noted_lock locks[most_locks];
};

// The name of its mapping, without what /proc puts around it.
constexpr char record_name[] = "truefork-record";

// Makes this process's. Where it can't be made, nothing is noted.
void prepare_record() noexcept;

// In the child of a fork: begin; threads, and then locks, in any number; end.
void begin_record(pid_t parent, kept_threads kept) noexcept;
void note_thread(pid_t tid, pid_t tid_here, const char* name) noexcept;
void note_lock(uint64_t address, lock_kind kind, pid_t tid, pid_t tid_here) noexcept;
void end_record() noexcept;

// note_thread for all that have been revived.
void note_threads(const thread_table& threads) noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_RECORD_H_
