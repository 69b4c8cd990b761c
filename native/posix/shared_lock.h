// Locks in memory that processes share. A lock knows the thread that holds it, by a number that no other thread has had
// (platform/shared_memory.h), so that one that has died is told from one that is slow, whatever killed it.
//
// Nothing here sleeps: who can't have a lock is told the word to sleep on and what it held (platform/futex.h), and
// tries again. A wake-up may be lost with a process that is killed, so nobody sleeps for long without another try.
#ifndef TRUEFORK_POSIX_SHARED_LOCK_H_
#define TRUEFORK_POSIX_SHARED_LOCK_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "../platform/shared_memory.h"
#include "shared_memory.h"

namespace truefork::posix {

// At the start of each object, for whoever finds its address in another process.
enum class shared_kind : uint32_t { lock = 1, recursive_lock, semaphore, event, condition, barrier, memory };
constexpr uint32_t shared_magic = 0x4b4c4654;  // "TFLK"

struct shared_header {
  uint32_t magic;
  shared_kind kind;
};

// What a try found. `observed`: the word's value while it was busy.
struct attempt {
  enum class outcome { done, owner_died, busy, failed };
  outcome what = outcome::failed;
  uint32_t observed = 0;
  int failure = 0;  // a negative error number
};

// How long the caller has been at it: one that has slept goes before one that comes new.
struct patience {
  bool has_slept = false;
  bool looks_for_dead = false;  // whether the owner lives, which costs a look into /proc
  bool will_sleep = true;       // or takes what there is, before all others, and goes
};

// A word with its owner. The low half is what sleepers sleep on: the owner's thread number, as in the kernel's own
// robust futexes, a bit that says that somebody sleeps, and one that says that somebody slept in vain.
class owned_word {
 public:
  static constexpr uint32_t has_sleepers = 0x80000000;
  static constexpr uint32_t is_promised = 0x40000000;  // free only for those that have slept

  attempt take(patience waited, platform::thread_mark self) noexcept;
  // Whoever holds it. False: nobody did.
  bool release() noexcept;
  // Somebody who was woken won't take it: another is.
  void pass_on() noexcept;

  platform::thread_mark owner() const noexcept { return whole_.load() & ~uint64_t{has_sleepers | is_promised}; }
  bool is_held() const noexcept { return (whole_.load() & platform::thread_number_mask) != 0; }
  uint32_t* word() noexcept { return reinterpret_cast<uint32_t*>(&whole_); }

 private:
  void wake_one() noexcept;

  std::atomic<uint64_t> whole_;
};
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half comes first");

struct shared_lock {
  shared_header header;
  owned_word word;
  // glibc's mutexes have an owner and a kind at these places; our engine mustn't take a sleeper here for one of theirs.
  uint32_t zero_owner;
  uint32_t depth;  // of a recursive lock, written by its owner
  uint32_t zero_kind;
  std::atomic<int32_t> owner_pid;
  std::atomic<int32_t> owner_waits_for;  // the child whose end the owner's thread sleeps for, or 0
  std::atomic<uint32_t> deaths;          // how many have died with it
  std::atomic<int32_t> dead_pid;         // the last of them
};
static_assert(sizeof(shared_lock) <= 64);

// The place of the word in either kind.
constexpr uint32_t shared_word_offset = sizeof(shared_header);

int make_lock(bool is_recursive, shared_block& block);
attempt take_lock(shared_lock& lock, patience waited) noexcept;
// 0, or -EPERM: a lock that nobody holds, or a recursive one of another thread's.
int release_lock(shared_lock& lock) noexcept;
// Gives it up whole, however deep; the depth. Or -EPERM.
int release_lock_wholly(shared_lock& lock) noexcept;
void restore_depth(shared_lock& lock, uint32_t depth) noexcept;
bool is_own(const shared_lock& lock) noexcept;
// True if this thread would wait for ever: it holds the lock itself, or its owner sleeps until this process ends, and
// nobody else could release it.
bool would_hang(shared_lock& lock, const shared_block& block) noexcept;

// A lock's memory goes: nothing of this process may refer to it any more.
void forget_lock(shared_lock& lock) noexcept;

struct shared_semaphore {
  static constexpr uint32_t most = 0x3fffffff;

  shared_header header;
  std::atomic<uint32_t> word;  // the value, with owned_word's bits
  uint32_t maximum;            // 0: none
};

int make_semaphore(uint32_t value, uint32_t maximum, shared_block& block);
attempt take_semaphore(shared_semaphore& semaphore, patience waited) noexcept;
// 0, or -EOVERFLOW: the value would be above its maximum.
int release_semaphore(shared_semaphore& semaphore, uint32_t count) noexcept;
uint32_t semaphore_value(const shared_semaphore& semaphore) noexcept;
void pass_on_semaphore(shared_semaphore& semaphore) noexcept;

// While this lives, what the calling thread holds says that it sleeps until that child ends.
class waiting_for_child {
 public:
  explicit waiting_for_child(pid_t child) noexcept;
  ~waiting_for_child();
  waiting_for_child(const waiting_for_child&) = delete;
  waiting_for_child& operator=(const waiting_for_child&) = delete;
};

// Around a fork: no other thread is just taking a lock, as the copy of it in the child would do so by its parent's
// number. The child holds none.
class shared_locks_at_fork {
 public:
  shared_locks_at_fork() noexcept;
  ~shared_locks_at_fork();
  shared_locks_at_fork(const shared_locks_at_fork&) = delete;
  shared_locks_at_fork& operator=(const shared_locks_at_fork&) = delete;
};

// What changes shared memory in the name of a thread runs under this.
class thread_in_shared_memory {
 public:
  thread_in_shared_memory() noexcept;
  ~thread_in_shared_memory();
  thread_in_shared_memory(const thread_in_shared_memory&) = delete;
  thread_in_shared_memory& operator=(const thread_in_shared_memory&) = delete;
};

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SHARED_LOCK_H_
