// Linux: memfd_create(2) since 3.17; a thread's beginning from proc_pid_stat(5).
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../posix/result.h"
#include "platform.h"
#include "shared_memory.h"

namespace truefork::platform {

namespace {

// Younger than the oldest headers we build with.
constexpr unsigned memfd_cloexec = 1;
constexpr unsigned memfd_allow_sealing = 2;
constexpr unsigned memfd_noexec_seal = 8;  // since 6.3; without it vm.memfd_noexec may refuse
constexpr int add_seals = 1033;            // F_ADD_SEALS
constexpr int seal_shrink_and_grow = 2 | 4;

int memfd(unsigned flags) noexcept {
  return static_cast<int>(
      from_errno(syscall(SYS_memfd_create, "truefork", memfd_cloexec | memfd_allow_sealing | flags)));
}

struct beginning {
  bool is_known = false;
  bool has_ended = false;
  uint32_t start = 0;  // 24 bits of clock ticks since the machine's start, never 0
};

uint32_t shortened(unsigned long long ticks) noexcept {
  const auto low = static_cast<uint32_t>(ticks & 0xffffff);
  return low == 0 ? 1 : low;
}

// `path`: a stat file of /proc. `tid`: what it must be about.
beginning read_beginning(const char* path, uint32_t tid) noexcept {
  char text[512];
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size <= 0) return {};
  text[size] = '\0';
  // A /proc of another pid namespace has other numbers. The name may hold anything, the last ')' ends it.
  const char* const name_end = strrchr(text, ')');
  if (name_end == nullptr || strtoul(text, nullptr, 10) != tid) return {};
  char state = '?';
  unsigned long long ticks = 0;
  constexpr auto fields = " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu";
  if (sscanf(name_end + 1, fields, &state, &ticks) != 2) return {};
  return {true, state == 'Z' || state == 'X', shortened(ticks)};
}

// 8 bits of the pid namespace's inode: enough to tell apart those that meet.
uint32_t read_namespace() noexcept {
  struct stat file {};
  return stat("/proc/self/ns/pid", &file) == 0 ? static_cast<uint32_t>(file.st_ino & 0xff) : 0;
}

thread_mark mark_of(uint32_t tid, uint32_t start) noexcept {
  return uint64_t{start << 8U | read_namespace()} << 32U | tid;
}

}  // namespace

int open_shared_memory(size_t size) noexcept {
  int fd = memfd(memfd_noexec_seal);
  if (fd == -EINVAL) fd = memfd(0);
  if (fd < 0) return fd;
  const int failure = from_errno(ftruncate(fd, static_cast<off_t>(size)));
  if (failure != 0) {
    close(fd);
    return failure;
  }
  // Who has it can't make it smaller, which would be a SIGBUS for the others. A kernel without seals leaves that.
  fcntl(fd, add_seals, seal_shrink_and_grow);
  return fd;
}

thread_mark own_thread() noexcept {
  // Asked each time: a child of fork has its parent's thread-local memory and another tid.
  const auto tid = static_cast<uint32_t>(gettid());
  thread_local thread_mark known = 0;
  if ((known & thread_number_mask) != tid) known = mark_of(tid, read_beginning("/proc/thread-self/stat", tid).start);
  return known;
}

thread_mark own_process() noexcept {
  const auto pid = static_cast<uint32_t>(getpid());
  return mark_of(pid, read_beginning("/proc/self/stat", pid).start);
}

pid_t pid_of(thread_mark process) noexcept { return static_cast<pid_t>(process & thread_number_mask); }

bool has_ended(thread_mark thread) noexcept {
  const uint32_t tid = thread & thread_number_mask;
  const auto start = static_cast<uint32_t>(thread >> 40U);
  if (((thread >> 32U) & 0xff) != read_namespace()) return false;
  // Not by /proc alone, which may hide what belongs to another user.
  if (syscall(SYS_tkill, tid, 0) != 0 && errno == ESRCH) return true;
  char path[64];
  snprintf(path, sizeof path, "/proc/%u/task/%u/stat", tid, tid);
  const beginning present = read_beginning(path, tid);
  return present.is_known && (present.has_ended || (start != 0 && present.start != start));
}

}  // namespace truefork::platform
