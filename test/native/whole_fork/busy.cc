// Threads that never rest: in locks, in malloc, at births and deaths of other threads, with all registers in use.
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "../check.h"
#include "resident.h"

namespace whole_fork {

namespace {

void add_loop(population& all, const char* name, const std::function<void()>& round) {
  all.push_back({name,
                 [round](resident& self) {
                   self.arrive();
                   while (self.next_round()) round();
                 },
                 nullptr, false});
}

// Two threads about one mutex, which guards a number: neither sees it change.
void add_rivals_for_mutex(population& all, const char* name, int type, int protocol) {
  struct guarded {
    pthread_mutex_t mutex;
    long number = 0;
  };
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  auto* const shared = new guarded;
  pthread_mutex_init(&shared->mutex, &attributes);
  const auto round = [shared, again = type == PTHREAD_MUTEX_RECURSIVE] {
    EXPECT(pthread_mutex_lock(&shared->mutex) == 0);
    if (again) EXPECT(pthread_mutex_lock(&shared->mutex) == 0);
    const long before = shared->number++;
    for (int i = 0; i < 50; ++i) asm volatile("" ::: "memory");
    EXPECT(shared->number == before + 1);
    if (again) EXPECT(pthread_mutex_unlock(&shared->mutex) == 0);
    EXPECT(pthread_mutex_unlock(&shared->mutex) == 0);
  };
  add_loop(all, name, round);
  add_loop(all, name, round);
}

void add_rivals_for_rwlock(population& all) {
  struct guarded {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    long one = 0;
    long same = 0;
  };
  auto* const shared = new guarded;
  add_loop(all, "writes under a rwlock", [shared] {
    EXPECT(pthread_rwlock_wrlock(&shared->lock) == 0);
    ++shared->one;
    ++shared->same;
    EXPECT(pthread_rwlock_unlock(&shared->lock) == 0);
  });
  add_loop(all, "reads under a rwlock", [shared] {
    EXPECT(pthread_rwlock_rdlock(&shared->lock) == 0);
    EXPECT(shared->one == shared->same);
    EXPECT(pthread_rwlock_unlock(&shared->lock) == 0);
  });
}

// Two threads that hand a ball to each other by a condition: neither can go on alone.
void add_players(population& all) {
  struct game {
    std::mutex mutex;
    std::condition_variable moved;
    int turn = 0;
    bool alone = false;  // the other has left
  };
  auto* const shared = new game;
  for (int me : {0, 1}) {
    all.push_back({"hands over a condition",
                   [shared, me](resident& self) {
                     self.arrive();
                     std::unique_lock<std::mutex> lock(shared->mutex);
                     while (self.next_round()) {
                       shared->moved.wait(lock, [shared, me] { return shared->turn == me || shared->alone; });
                       shared->turn = 1 - me;
                       shared->moved.notify_one();
                     }
                     shared->alone = true;
                   },
                   nullptr, false});
  }
}

void allocate() {
  std::vector<std::unique_ptr<char[]>> blocks;
  for (size_t size = 16; size < 300'000; size *= 3) {
    blocks.emplace_back(new char[size]);
    memset(blocks.back().get(), static_cast<int>(size % 127), size);
  }
  size_t size = 16;
  for (const auto& block : blocks) {
    EXPECT(block[size - 1] == static_cast<char>(size % 127));
    size *= 3;
  }
}

void map_memory() {
  constexpr size_t size = 64 * 1024;
  void* const place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(place != MAP_FAILED);
  memset(place, 1, size);
  EXPECT(munmap(place, size) == 0);
}

void bear_and_bury() {
  int token = 0;
  pthread_t other{};
  const int failure = pthread_create(
      &other, nullptr, [](void* argument) { return argument; }, &token);
  EXPECT(failure == 0);
  void* result = nullptr;
  EXPECT(pthread_join(other, &result) == 0);
  EXPECT(result == &token);
}

void keep_errno() {
  errno = 1234;
  for (int i = 0; i < 1000; ++i) asm volatile("" ::: "memory");
  EXPECT(errno == 1234);
}

// Everything that a function may use is known, and is the same after a while. The flags of x87 and SSE were
// set by identity::take.
void keep_registers() {
  alignas(16) uint64_t in[32];
  alignas(16) uint64_t out[32] = {};
  for (uint64_t i = 0; i < 32; ++i) in[i] = 0x0101010101010101 * (i + 1);
  uint64_t general = 0;
  double floating = 0;
  asm volatile(
      "movdqa 0(%[in]), %%xmm0\n movdqa 16(%[in]), %%xmm1\n movdqa 32(%[in]), %%xmm7\n"
      "movdqa 48(%[in]), %%xmm8\n movdqa 64(%[in]), %%xmm14\n movdqa 80(%[in]), %%xmm15\n"
      "movq $0x11, %%r8\n movq $0x22, %%r9\n movq $0x33, %%r10\n movq $0x44, %%r11\n"
      "movq $0x55, %%r12\n movq $0x66, %%r13\n movq $0x77, %%r14\n movq $0x88, %%r15\n"
      "fldpi\n std\n"
      "movl $20000, %%ecx\n"
      "1: decl %%ecx\n jnz 1b\n"
      "pushfq\n popq %%rcx\n cld\n andq $0x400, %%rcx\n"
      "fstpl %[floating]\n"
      "movdqa %%xmm0, 0(%[out])\n movdqa %%xmm1, 16(%[out])\n movdqa %%xmm7, 32(%[out])\n"
      "movdqa %%xmm8, 48(%[out])\n movdqa %%xmm14, 64(%[out])\n movdqa %%xmm15, 80(%[out])\n"
      "addq %%r8, %%rcx\n addq %%r9, %%rcx\n addq %%r10, %%rcx\n addq %%r11, %%rcx\n"
      "addq %%r12, %%rcx\n addq %%r13, %%rcx\n addq %%r14, %%rcx\n addq %%r15, %%rcx\n"
      : "=&c"(general), [floating] "=m"(floating)
      : [in] "r"(in), [out] "r"(out)
      : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm7", "xmm8", "xmm14", "xmm15", "st",
        "memory", "cc");
  EXPECT(general == 0x400 + 0x11 + 0x22 + 0x33 + 0x44 + 0x55 + 0x66 + 0x77 + 0x88);
  EXPECT(floating > 3.1415926 && floating < 3.1415927);
  EXPECT(memcmp(in, out, 96) == 0);
}

void ask_kernel() { EXPECT(getppid() > 0 && sched_yield() == 0); }

}  // namespace

void add_busy(population& all) {
  add_rivals_for_mutex(all, "rivals for an adaptive mutex", PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PRIO_NONE);
  add_rivals_for_rwlock(all);
  add_players(all);
  add_loop(all, "allocates", allocate);
  add_loop(all, "maps memory", map_memory);
  add_loop(all, "creates and joins threads", bear_and_bury);
  add_loop(all, "keeps errno", keep_errno);
  add_loop(all, "keeps registers", keep_registers);
  add_loop(all, "asks the kernel", ask_kernel);
}

void add_rivals(population& all) {
  add_rivals_for_mutex(all, "rivals for a recursive mutex", PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE);
  add_rivals_for_mutex(all, "rivals for an error-checking mutex", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE);
  add_rivals_for_mutex(all, "rivals for a priority-inheriting mutex", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT);
}

}  // namespace whole_fork
