// Threads that wait for locks, conditions and other threads.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <ctime>
#include <mutex>

#include "../check.h"
#include "resident.h"

namespace whole_fork {

namespace {

timespec in_an_hour() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_sec += 3600;
  return time;
}

// The forking thread holds the mutex, and gives it away where the waiter is to go on.
void wait_for_mutex(population& all, const char* name, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  auto* const mutex = new pthread_mutex_t;
  pthread_mutex_init(mutex, &attributes);
  pthread_mutex_lock(mutex);
  all.push_back({name,
                 [mutex](resident& self) {
                   self.arrive();
                   EXPECT(pthread_mutex_lock(mutex) == 0);
                   EXPECT(pthread_mutex_unlock(mutex) == 0);
                 },
                 [mutex](resident&) { EXPECT(pthread_mutex_unlock(mutex) == 0); }});
}

struct condition {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  bool open = false;

  void announce() {
    pthread_mutex_lock(&mutex);
    open = true;
    EXPECT(pthread_cond_signal(&changed) == 0);
    pthread_mutex_unlock(&mutex);
  }
};

void wait_for_condition(population& all, const char* name, bool timed) {
  auto* const shared = new condition;
  all.push_back({name,
                 [shared, timed](resident& self) {
                   const timespec deadline = in_an_hour();
                   pthread_mutex_lock(&shared->mutex);
                   self.arrive();
                   while (!shared->open) {
                     EXPECT((timed ? pthread_cond_timedwait(&shared->changed, &shared->mutex, &deadline)
                                   : pthread_cond_wait(&shared->changed, &shared->mutex)) == 0);
                   }
                   EXPECT(pthread_mutex_unlock(&shared->mutex) == 0);
                 },
                 [shared](resident&) { shared->announce(); }});
}

// condition_variable_any locks a mutex of its own besides ours.
void wait_for_condition_of_any_lock(population& all) {
  struct shared_state {
    std::recursive_mutex mutex;
    std::condition_variable_any changed;
    bool open = false;
  };
  auto* const shared = new shared_state;
  all.push_back({"condition_variable_any",
                 [shared](resident& self) {
                   std::unique_lock<std::recursive_mutex> lock(shared->mutex);
                   self.arrive();
                   shared->changed.wait(lock, [shared] { return shared->open; });
                 },
                 [shared](resident&) {
                   const std::lock_guard<std::recursive_mutex> lock(shared->mutex);
                   shared->open = true;
                   shared->changed.notify_all();
                 }});
}

void wait_for_semaphore(population& all, const char* name, bool timed) {
  auto* const shared = new gate;
  all.push_back({name,
                 [shared, timed](resident& self) {
                   const timespec deadline = in_an_hour();
                   self.arrive();
                   while ((timed ? sem_timedwait(&shared->semaphore, &deadline) : sem_wait(&shared->semaphore)) != 0) {
                     EXPECT(errno == EINTR);
                   }
                 },
                 [shared](resident&) { shared->open(); }});
}

// A reader waits for the forking thread's write lock, a writer for its read lock.
void wait_for_rwlock(population& all, const char* name, bool writes) {
  auto* const lock = new pthread_rwlock_t;
  pthread_rwlock_init(lock, nullptr);
  EXPECT((writes ? pthread_rwlock_rdlock(lock) : pthread_rwlock_wrlock(lock)) == 0);
  all.push_back({name,
                 [lock, writes](resident& self) {
                   self.arrive();
                   EXPECT((writes ? pthread_rwlock_wrlock(lock) : pthread_rwlock_rdlock(lock)) == 0);
                   EXPECT(pthread_rwlock_unlock(lock) == 0);
                 },
                 [lock](resident&) { EXPECT(pthread_rwlock_unlock(lock) == 0); }});
}

void wait_at_barrier(population& all) {
  auto* const barrier = new pthread_barrier_t;
  pthread_barrier_init(barrier, nullptr, 2);
  const auto meet = [barrier] {
    const int outcome = pthread_barrier_wait(barrier);
    EXPECT(outcome == 0 || outcome == PTHREAD_BARRIER_SERIAL_THREAD);
  };
  all.push_back({"barrier",
                 [meet](resident& self) {
                   self.arrive();
                   meet();
                 },
                 [meet](resident&) { meet(); }});
}

void* wait_at_gate(void* shared) {
  static_cast<gate*>(shared)->pass();
  return shared;
}

void wait_for_thread(population& all) {
  auto* const shared = new gate;
  all.push_back({"join",
                 [shared](resident& self) {
                   pthread_t other{};
                   EXPECT(pthread_create(&other, nullptr, wait_at_gate, shared) == 0);
                   self.arrive();
                   void* result = nullptr;
                   EXPECT(pthread_join(other, &result) == 0);
                   EXPECT(result == shared);
                 },
                 [shared](resident&) { shared->open(); }});
}

// One thread is inside pthread_once(3), which another waits for.
void wait_for_once(population& all) {
  struct shared_state {
    pthread_once_t once = PTHREAD_ONCE_INIT;
    int runs = 0;
  };
  static gate opened;
  static std::atomic<bool> inside;
  static auto* const shared = new shared_state;
  static const auto initialize = [] {
    ++shared->runs;
    inside = true;
    opened.pass();
  };
  all.push_back({"inside once",
                 [](resident& self) {
                   self.arrive();
                   EXPECT(pthread_once(&shared->once, initialize) == 0);
                   EXPECT(shared->runs == 1);
                 },
                 [](resident&) { opened.open(); }});
  all.push_back({"waits for once", [](resident& self) {
                   while (!inside) sched_yield();
                   self.arrive();
                   EXPECT(pthread_once(&shared->once, initialize) == 0);
                   EXPECT(shared->runs == 1);
                 }});
}

void wait_for_futex(population& all) {
  auto* const word = new std::atomic<uint32_t>(0);
  all.push_back({"futex",
                 [word](resident& self) {
                   self.arrive();
                   while (*word == 0) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
                 },
                 [word](resident&) {
                   *word = 1;
                   syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
                 }});
}

}  // namespace

void add_waits(population& all) {
  wait_for_mutex(all, "mutex", PTHREAD_MUTEX_NORMAL);
  wait_for_mutex(all, "adaptive mutex", PTHREAD_MUTEX_ADAPTIVE_NP);
  wait_for_condition(all, "condition", false);
  wait_for_condition(all, "condition with a time", true);
  wait_for_condition_of_any_lock(all);
  wait_for_semaphore(all, "semaphore", false);
  wait_for_semaphore(all, "semaphore with a time", true);
  wait_for_rwlock(all, "rwlock for reading", false);
  wait_for_rwlock(all, "rwlock for writing", true);
  wait_at_barrier(all);
  wait_for_thread(all);
  wait_for_once(all);
  wait_for_futex(all);
}

}  // namespace whole_fork
