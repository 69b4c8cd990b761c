// macOS: shm_open(2) under a name that is gone at once; a process's beginning from proc_pidinfo. Compiled by
// scripts/check-darwin.mjs, never run by our own machines.
#include <fcntl.h>
#include <libproc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "../posix/result.h"
#include "shared_memory.h"

namespace truefork::platform {

namespace {

// A pid has at most 17 bits here; the rest tells the threads of a process apart.
constexpr uint32_t thread_bits = 13;

uint32_t thread_bits_of_self() noexcept {
  uint64_t id = 0;
  pthread_threadid_np(nullptr, &id);
  return static_cast<uint32_t>(id & ((1U << thread_bits) - 1));
}

// 0: it can't be told. `is_gone`: there is no such process.
uint32_t start_of(pid_t pid, bool& is_gone) noexcept {
  proc_bsdinfo info{};
  errno = 0;
  if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof info) != sizeof info) {
    is_gone = errno == ESRCH;
    return 0;
  }
  constexpr uint32_t zombie = 5;  // SZOMB
  is_gone = info.pbi_status == zombie;
  return static_cast<uint32_t>(info.pbi_start_tvsec * 1000 + info.pbi_start_tvusec / 1000);
}

thread_mark mark_of(uint32_t thread) noexcept {
  bool is_gone = false;
  const auto pid = static_cast<uint32_t>(getpid());
  return uint64_t{start_of(getpid(), is_gone)} << 32U | pid << thread_bits | thread;
}

}  // namespace

int open_shared_memory(size_t size) noexcept {
  char name[32];  // PSHMNAMLEN
  int fd = -EEXIST;
  for (int tries = 0; fd == -EEXIST && tries < 100; ++tries) {
    snprintf(name, sizeof name, "/truefork.%x", arc4random());
    fd = from_errno(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  }
  if (fd < 0) return fd;
  shm_unlink(name);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  const int failure = from_errno(ftruncate(fd, static_cast<off_t>(size)));
  if (failure == 0) return fd;
  close(fd);
  return failure;
}

thread_mark own_thread() noexcept { return mark_of(thread_bits_of_self()); }

thread_mark own_process() noexcept { return mark_of(0); }

pid_t pid_of(thread_mark process) noexcept { return static_cast<pid_t>((process & thread_number_mask) >> thread_bits); }

// A thread that ended before its process isn't told from one that lives.
bool has_ended(thread_mark thread) noexcept {
  const pid_t pid = pid_of(thread);
  const auto start = static_cast<uint32_t>(thread >> 32U);
  if (kill(pid, 0) != 0 && errno == ESRCH) return true;
  bool is_gone = false;
  const uint32_t present = start_of(pid, is_gone);
  return is_gone || (start != 0 && present != 0 && present != start);
}

}  // namespace truefork::platform
