// Threads that hold locks of every kind, and the forking thread's own.
#include <link.h>
#include <pthread.h>

#include <cerrno>
#include <cstdio>
#include <mutex>
#include <shared_mutex>

#include "../check.h"
#include "resident.h"

namespace whole_fork {

namespace {

// One kind of lock: what its holder does before and after the wait, and what tells others that it is free.
struct kind {
  const char* name;
  std::function<void()> lock;
  std::function<void()> unlock;  // checks that it is still the holder's
  std::function<bool()> is_free;
};

struct mutex_kind {
  const char* name;
  int type;
  int robustness = PTHREAD_MUTEX_STALLED;
  int protocol = PTHREAD_PRIO_NONE;
  int sharing = PTHREAD_PROCESS_PRIVATE;
};

constexpr mutex_kind mutex_kinds[] = {
    {"normal mutex", PTHREAD_MUTEX_NORMAL},
    {"recursive mutex", PTHREAD_MUTEX_RECURSIVE},
    {"error-checking mutex", PTHREAD_MUTEX_ERRORCHECK},
    {"adaptive mutex", PTHREAD_MUTEX_ADAPTIVE_NP},
    {"robust mutex", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST},
    {"robust recursive mutex", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST},
    {"priority-inheriting mutex", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT},
    {"priority-inheriting recursive mutex", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT},
    {"robust priority-inheriting mutex", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT},
    {"shared recursive mutex", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE,
     PTHREAD_PROCESS_SHARED},
};

pthread_mutex_t* new_mutex(const mutex_kind& wanted) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  EXPECT(pthread_mutexattr_settype(&attributes, wanted.type) == 0);
  EXPECT(pthread_mutexattr_setrobust(&attributes, wanted.robustness) == 0);
  EXPECT(pthread_mutexattr_setprotocol(&attributes, wanted.protocol) == 0);
  EXPECT(pthread_mutexattr_setpshared(&attributes, wanted.sharing) == 0);
  auto* const mutex = new pthread_mutex_t;
  EXPECT(pthread_mutex_init(mutex, &attributes) == 0);
  return mutex;
}

kind of_mutex(const mutex_kind& wanted) {
  pthread_mutex_t* const mutex = new_mutex(wanted);
  const bool recursive = wanted.type == PTHREAD_MUTEX_RECURSIVE;
  const int times = recursive ? 3 : 1;
  const auto lock = [mutex, times] {
    for (int i = 0; i < times; ++i) EXPECT(pthread_mutex_lock(mutex) == 0);
  };
  const auto unlock = [mutex, times, recursive, checks = wanted.type == PTHREAD_MUTEX_ERRORCHECK] {
    if (checks) EXPECT(pthread_mutex_lock(mutex) == EDEADLK);
    if (recursive) EXPECT(pthread_mutex_trylock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
    for (int i = 0; i < times; ++i) EXPECT(pthread_mutex_unlock(mutex) == 0);
    if (checks || recursive) EXPECT(pthread_mutex_unlock(mutex) == EPERM);
  };
  const auto is_free = [mutex] {
    const int outcome = pthread_mutex_trylock(mutex);
    EXPECT(outcome == 0 || outcome == EBUSY);
    return outcome == 0 && pthread_mutex_unlock(mutex) == 0;
  };
  return {wanted.name, lock, unlock, is_free};
}

kind of_rwlock(const char* name, bool writes, int preference) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, preference);
  auto* const lock = new pthread_rwlock_t;
  pthread_rwlock_init(lock, &attributes);
  return {name, [lock, writes] { EXPECT((writes ? pthread_rwlock_wrlock(lock) : pthread_rwlock_rdlock(lock)) == 0); },
          [lock, writes] {
            if (writes) EXPECT(pthread_rwlock_rdlock(lock) == EDEADLK);
            EXPECT(pthread_rwlock_unlock(lock) == 0);
          },
          [lock] { return pthread_rwlock_trywrlock(lock) == 0 && pthread_rwlock_unlock(lock) == 0; }};
}

kind of_stdio() {
  FILE* const file = fopen("/dev/null", "we");
  return {"stdio", [file] { flockfile(file); },
          [file] {
            EXPECT(fputs("text", file) >= 0);
            funlockfile(file);
          },
          [file] {
            if (ftrylockfile(file) != 0) return false;
            funlockfile(file);
            return true;
          }};
}

std::vector<kind> all_kinds() {
  std::vector<kind> kinds;
  for (const mutex_kind& wanted : mutex_kinds) kinds.push_back(of_mutex(wanted));
  kinds.push_back(of_rwlock("rwlock for reading", false, PTHREAD_RWLOCK_PREFER_READER_NP));
  kinds.push_back(of_rwlock("rwlock for writing", true, PTHREAD_RWLOCK_PREFER_READER_NP));
  kinds.push_back(of_rwlock("rwlock that prefers writers", true, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
  kinds.push_back(of_stdio());
  return kinds;
}

void add_holder(population& all, const kind& held) {
  auto* const opened = new gate;
  auto* const released = new gate;
  all.push_back({"holds a " + std::string(held.name),
                 [held, opened, released](resident& self) {
                   held.lock();
                   self.arrive();
                   opened->pass();
                   held.unlock();
                   released->open();
                 },
                 [held, opened, released](resident&) {
                   EXPECT(!held.is_free());
                   opened->open();
                   released->pass();
                   EXPECT(held.is_free());
                 }});
}

// Whoever locks the mutex next hears that its owner has died, as the kernel finds it on the thread's robust list.
void add_dying_owner(population& all) {
  pthread_mutex_t* const mutex = new_mutex({"", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST});
  auto* const opened = new gate;
  all.push_back({"dies with a robust mutex",
                 [mutex, opened](resident& self) {
                   EXPECT(pthread_mutex_lock(mutex) == 0);
                   self.arrive();
                   opened->pass();
                 },
                 [mutex, opened](resident&) {
                   opened->open();
                   EXPECT(pthread_mutex_lock(mutex) == EOWNERDEAD);
                   EXPECT(pthread_mutex_consistent(mutex) == 0);
                   EXPECT(pthread_mutex_unlock(mutex) == 0);
                 }});
}

// The loader's lock is a recursive mutex; dl_iterate_phdr(3) holds it while it calls back.
void add_holder_of_loader(population& all) {
  static gate opened;
  all.push_back({"inside dl_iterate_phdr",
                 [](resident& self) {
                   const auto visit = [](dl_phdr_info*, size_t, void* argument) {
                     static_cast<resident*>(argument)->arrive();
                     opened.pass();
                     return 1;
                   };
                   EXPECT(dl_iterate_phdr(visit, &self) == 1);
                   // By another thread it could be taken no more, were it still held.
                   EXPECT(dl_iterate_phdr([](dl_phdr_info*, size_t, void*) { return 2; }, nullptr) == 2);
                 },
                 [](resident&) { opened.open(); }});
}

}  // namespace

void add_holders(population& all) {
  for (const kind& held : all_kinds()) add_holder(all, held);
  add_dying_owner(all);
  add_holder_of_loader(all);
}

std::vector<std::function<void()>> hold_locks() {
  std::vector<std::function<void()>> releases;
  for (const kind& held : all_kinds()) {
    held.lock();
    releases.push_back([held] {
      held.unlock();
      EXPECT(held.is_free());
    });
  }
  return releases;
}

}  // namespace whole_fork
