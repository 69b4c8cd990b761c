#include "resident.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cfenv>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "../check.h"

namespace whole_fork {

namespace {

constexpr long limit = 20;  // seconds for whatever a thread has to do

thread_local int local_of_thread = 0;

timespec in_seconds(long seconds) {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_sec += seconds;
  return time;
}

void nap() {
  const timespec moment{0, 200'000};
  nanosleep(&moment, nullptr);
}

// 'S' and so on, as proc_pid_stat(5) has it.
char state_of(pid_t tid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path, "re"), fclose);
  char state = '?';
  if (file == nullptr || fscanf(file.get(), "%*d (%*[^)]) %c", &state) != 1) return '?';
  return state;
}

// The tid that libc believes is its own: what it writes into a mutex.
void expect_tid_of_libc() {
  pthread_mutexattr_t recursive;
  pthread_mutexattr_init(&recursive);
  pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &recursive);
  pthread_mutex_lock(&mutex);
  EXPECT(mutex.__data.__owner == kernel_tid());
  pthread_mutex_unlock(&mutex);
  pthread_mutex_destroy(&mutex);
}

bool same_set(const sigset_t& one, const sigset_t& other) {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (sigismember(&one, signal) != sigismember(&other, signal)) return false;
  }
  return true;
}

// The number-th of the processors that this process may use, alone.
cpu_set_t one_processor(unsigned number) {
  cpu_set_t all;
  sched_getaffinity(0, sizeof all, &all);
  unsigned wanted = number % static_cast<unsigned>(CPU_COUNT(&all));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &all) && wanted-- == 0) {
      CPU_SET(cpu, &one);
      return one;
    }
  }
  return all;
}

}  // namespace

pid_t kernel_tid() { return static_cast<pid_t>(syscall(SYS_gettid)); }

void gate::pass() {
  while (sem_wait(&semaphore) != 0) EXPECT(errno == EINTR);
}

identity identity::take(unsigned number) {
  constexpr int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  constexpr size_t stack_size = 64 * 1024;
  identity own{};
  snprintf(own.name, sizeof own.name, "resident %u", number);
  prctl(PR_SET_NAME, own.name);
  own.nice = static_cast<int>(number % 4);
  EXPECT(setpriority(PRIO_PROCESS, static_cast<id_t>(kernel_tid()), own.nice) == 0);
  if (number % 3 == 0) {
    const cpu_set_t one = one_processor(number);
    EXPECT(sched_setaffinity(0, sizeof one, &one) == 0);
  }
  sched_getaffinity(0, sizeof own.affinity, &own.affinity);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGRTMIN + 8 + static_cast<int>(number % 16));
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  pthread_sigmask(SIG_SETMASK, nullptr, &own.mask);
  if (number % 2 == 0) {
    own.alternate.ss_sp =
        mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    own.alternate.ss_size = stack_size;
    EXPECT(sigaltstack(&own.alternate, nullptr) == 0);
  }
  sigaltstack(nullptr, &own.alternate);
  own.rounding = roundings[number % 4];
  fesetround(own.rounding);  // of x87 and of SSE
  local_of_thread = own.local_value = static_cast<int>(number) + 1;
  own.local = &local_of_thread;
  return own;
}

void identity::expect_same() const {
  char now_name[16];
  prctl(PR_GET_NAME, now_name);
  EXPECT(strcmp(now_name, name) == 0);
  EXPECT(getpriority(PRIO_PROCESS, static_cast<id_t>(kernel_tid())) == nice);
  cpu_set_t now_affinity;
  sched_getaffinity(0, sizeof now_affinity, &now_affinity);
  EXPECT(CPU_EQUAL(&now_affinity, &affinity));
  sigset_t now_mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &now_mask);
  EXPECT(same_set(now_mask, mask));
  stack_t now_alternate;
  sigaltstack(nullptr, &now_alternate);
  EXPECT(now_alternate.ss_sp == alternate.ss_sp && now_alternate.ss_flags == alternate.ss_flags);
  EXPECT(now_alternate.ss_size == alternate.ss_size);
  EXPECT(fegetround() == rounding);
  EXPECT(&local_of_thread == local);
  EXPECT(local_of_thread == local_value);
  expect_tid_of_libc();
}

resident::resident(role own, unsigned number) : role_(std::move(own)), number_(number) {
  EXPECT(pthread_create(&thread_, nullptr, run, this) == 0);
}

resident::~resident() = default;

void* resident::run(void* self) {
  auto& own = *static_cast<resident*>(self);
  own.tid_ = kernel_tid();
  const identity mine = identity::take(own.number_);
  own.role_.stay(own);
  mine.expect_same();
  // Only a thread whose alternate stack is in no use may give it back.
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
  if (mine.alternate.ss_size != 0) munmap(mine.alternate.ss_sp, mine.alternate.ss_size);
  return self;
}

bool resident::await_place() const {
  for (const timespec end = in_seconds(limit); time(nullptr) < end.tv_sec; nap()) {
    if (arrived_ && (!role_.sleeps || state_of(tid_) == 'S')) return true;
  }
  return false;
}

bool resident::goes_on() {
  if (!role_.sleeps) {
    const unsigned long before = rounds_;
    for (const timespec end = in_seconds(limit); rounds_ < before + 3; nap()) {
      if (time(nullptr) >= end.tv_sec) return false;
    }
  }
  woken_ = true;
  if (role_.wake) role_.wake(*this);
  void* result = nullptr;
  const timespec deadline = in_seconds(limit);
  return pthread_timedjoin_np(thread_, &result, &deadline) == 0 && result == this;
}

}  // namespace whole_fork
