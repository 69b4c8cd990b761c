// Threads for a process to be forked with: each at a place of its own, and each tells afterwards whether it went on.
#ifndef TRUEFORK_TEST_NATIVE_WHOLE_FORK_RESIDENT_H_
#define TRUEFORK_TEST_NATIVE_WHOLE_FORK_RESIDENT_H_

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace whole_fork {

// What belongs to a thread alone, and must be the same in the child.
struct identity {
  char name[16];
  int nice;
  cpu_set_t affinity;
  sigset_t mask;
  stack_t alternate;
  int rounding;
  const void* local;  // an address, and what is there
  int local_value;

  // Gives the calling thread one that differs from its neighbours'.
  static identity take(unsigned number);
  void expect_same() const;
};

class resident {
 public:
  struct role {
    std::string name;
    // Both run in the thread. `stay` returns once it has been woken, and checks what it was woken to.
    std::function<void(resident&)> stay;
    std::function<void(resident&)> wake{};
    bool sleeps = true;  // false where it is busy until then
  };

  resident(role own, unsigned number);
  ~resident();
  resident(const resident&) = delete;
  resident& operator=(const resident&) = delete;

  // Returns when it is at its place. False where it doesn't get there.
  bool await_place() const;
  // It goes on and ends, as pthread_join(3) sees it. False where it doesn't within the time.
  bool goes_on();

  // For `stay`: all is ready but the wait itself.
  void arrive() { arrived_ = true; }
  // For the busy: whether to go on, having done one more round.
  bool next_round() {
    ++rounds_;
    return !woken_;
  }
  bool is_woken() const { return woken_; }
  pthread_t thread() const { return thread_; }
  const std::string& name() const { return role_.name; }

 private:
  static void* run(void* self);

  role role_;
  unsigned number_;
  pthread_t thread_{};
  std::atomic<pid_t> tid_{0};
  std::atomic<bool> arrived_{false};
  std::atomic<bool> woken_{false};
  std::atomic<unsigned long> rounds_{0};
};

using population = std::vector<resident::role>;

// By theme. Call them on the thread that will fork.
void add_waits(population& all);         // for locks, conditions and threads
void add_kernel_waits(population& all);  // for descriptors, signals and time
void add_holders(population& all);       // of every kind of lock
void add_busy(population& all);          // in tight loops
void add_rivals(population& all);        // for locks that bear their owner's tid, in tight loops
// Locks that the forking thread itself holds: it checks and releases them in the end.
std::vector<std::function<void()>> hold_locks();

// A semaphore that outlives whatever refers to it.
struct gate {
  sem_t semaphore;
  gate() { sem_init(&semaphore, 0, 0); }
  void open() { sem_post(&semaphore); }
  void pass();
};

// The kernel's id of the calling thread.
pid_t kernel_tid();

}  // namespace whole_fork

#endif  // TRUEFORK_TEST_NATIVE_WHOLE_FORK_RESIDENT_H_
