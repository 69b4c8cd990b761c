// Linux: futex(2) without FUTEX_PRIVATE_FLAG, so that the kernel knows a word by its file and not by its address.
// futex_waitv(2) since 5.16; an older kernel answers ENOSYS, a seccomp filter perhaps EPERM.
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "futex.h"

namespace truefork::platform {

namespace {

// Younger than the oldest headers we build with; the same on every processor.
constexpr long sys_futex_waitv = 449;
constexpr uint32_t size_32 = 2;       // FUTEX_32, FUTEX2_SIZE_U32
constexpr size_t most_at_once = 128;  // FUTEX_WAITV_MAX

struct waiter {  // struct futex_waitv
  uint64_t expected;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

constexpr int64_t nanoseconds_per_second = 1'000'000'000;

timespec span(int64_t nanoseconds) noexcept {
  timespec time{};
  time.tv_sec = static_cast<time_t>(nanoseconds / nanoseconds_per_second);
  time.tv_nsec = static_cast<long>(nanoseconds % nanoseconds_per_second);
  return time;
}

bool probe_waitv() noexcept {
  // EINVAL, for a list of none, says that the call is there.
  return syscall(sys_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) == -1 && errno == EINVAL;
}

}  // namespace

void futex_wait(uint32_t* word, uint32_t expected, uint32_t milliseconds) noexcept {
  const timespec timeout = span(int64_t{milliseconds} * 1'000'000);
  syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
}

void futex_wake(uint32_t* word, uint32_t count) noexcept {
  syscall(SYS_futex, word, FUTEX_WAKE, std::min(count, uint32_t{INT_MAX}), nullptr, nullptr, 0);
}

size_t most_futexes() noexcept {
  static const size_t most = probe_waitv() ? most_at_once : 0;
  return most;
}

void futex_wait_any(const futex_watch* watches, size_t count, int milliseconds) noexcept {
  waiter waiters[most_at_once];
  for (size_t i = 0; i < count; ++i) {
    waiters[i] = {watches[i].expected, reinterpret_cast<uintptr_t>(watches[i].word), size_32, 0};
  }
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);  // the call takes a point in time
  const timespec deadline =
      span(int64_t{now.tv_sec} * nanoseconds_per_second + now.tv_nsec + int64_t{milliseconds} * 1'000'000);
  syscall(sys_futex_waitv, waiters, count, 0, milliseconds < 0 ? nullptr : &deadline, CLOCK_MONOTONIC);
}

void name_thread(const char* name) noexcept { pthread_setname_np(pthread_self(), name); }

}  // namespace truefork::platform
