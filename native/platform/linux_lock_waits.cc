// Linux: which threads wait for a lock, as proc_pid_syscall(5) tells, and who holds it.
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "../fork/locks_glibc.h"
#include "../fork/own_proc.h"
#include "loaded_objects.h"
#include "platform.h"

namespace truefork::platform {

namespace {

struct futex_call {
  unsigned long address;
  unsigned long operation;
  unsigned long value;
};

bool read_futex_call(int64_t tid, futex_call& call) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%lld/syscall", static_cast<long long>(tid));
  FILE* const file = fopen(path, "re");
  if (file == nullptr) return false;
  long number = 0;
  const int fields = fscanf(file, "%ld %lx %lx %lx", &number, &call.address, &call.operation, &call.value);
  fclose(file);
  return fields == 4 && number == SYS_futex;
}

// The mutex that a thread waits for in this call, if it is one at all.
bool read_mutex(int memory, const futex_call& call, fork::glibc_mutex& mutex) {
  constexpr unsigned long contended = 2;  // lowlevellock.h: held, and somebody waits
  const unsigned long operation = call.operation & FUTEX_CMD_MASK;
  const bool inherits_priority = operation == FUTEX_LOCK_PI || operation == 13;  // FUTEX_LOCK_PI2, Linux 5.14
  const bool plain = (operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET) && call.value == contended;
  if (!plain && !inherits_priority) return false;
  if (pread(memory, &mutex, sizeof mutex, static_cast<off_t>(call.address)) != sizeof mutex) return false;
  if ((mutex.kind & ~fork::glibc_mutex::known_bits) != 0) return false;
  return plain ? mutex.lock == contended && mutex.users > 0 : mutex.is_held_in_kernel();
}

}  // namespace

std::vector<lock_wait> lock_waits(const std::vector<int64_t>& tids) {
  const fork::own_proc readable;
  std::vector<lock_wait> waits;
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (memory < 0) return waits;
  for (const int64_t tid : tids) {
    futex_call call{};
    fork::glibc_mutex mutex{};
    if (!read_futex_call(tid, call) || !read_mutex(memory, call, mutex)) continue;
    if (std::find(tids.begin(), tids.end(), mutex.owner) == tids.end()) continue;
    const loaded_objects objects;
    const loaded_object* const object = objects.find(call.address);
    waits.push_back({tid, mutex.owner, call.address, object == nullptr ? std::string() : object->path});
  }
  close(memory);
  return waits;
}

}  // namespace truefork::platform
