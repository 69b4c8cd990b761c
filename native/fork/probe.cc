// What stands in the way of a whole child on this machine: tried, not guessed.
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "fork.h"
#include "locks_glibc.h"
#include "own_proc.h"
#include "quiet.h"
#include "threads.h"

namespace truefork::fork {

namespace {

using quiet::call;
using quiet::system_call;

bool tells_tid_address() {
  const int* address = nullptr;
  system_call(SYS_prctl, PR_GET_TID_ADDRESS, (long)&address);
  return address != nullptr && *address == system_call(SYS_gettid);
}

bool can_open(const char* path) {
  const long fd = call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) system_call(SYS_close, fd);
  return fd >= 0;
}

// A return to where no call came from ends a thread that has a shadow stack (Intel CET); arch_prctl(2), Linux 6.6.
bool has_shadow_stack() {
  unsigned long features = 0;
  constexpr long shstk_status = 0x5005;
  return system_call(SYS_arch_prctl, shstk_status, (long)&features) == 0 && (features & 1) != 0;
}

// A seccomp filter or another kernel may refuse a call that has no other way round.
bool can_queue_signals() {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  const long process = system_call(SYS_getpid);
  info.si_pid = static_cast<pid_t>(process);
  return system_call(SYS_rt_tgsigqueueinfo, process, system_call(SYS_gettid), 0, (long)&info) == 0;
}

// Whether this libc's locks look as locks_glibc.h believes: tried on locks of our own.
bool knows_locks_of_libc() {
  const auto tid = static_cast<int32_t>(system_call(SYS_gettid));
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  pthread_mutex_lock(&mutex);
  const auto* const seen = reinterpret_cast<const glibc_mutex*>(&mutex);
  const bool knows_mutex = seen->owner == tid && seen->is_held();
  pthread_mutex_unlock(&mutex);
  pthread_mutex_destroy(&mutex);

  pthread_rwlock_t rwlock;
  pthread_rwlock_init(&rwlock, nullptr);
  pthread_rwlock_wrlock(&rwlock);
  const auto* const held = reinterpret_cast<const glibc_rwlock*>(&rwlock);
  const bool knows_rwlock = held->writer == tid && held->is_held();
  pthread_rwlock_unlock(&rwlock);
  pthread_rwlock_destroy(&rwlock);
  return knows_mutex && knows_rwlock;
}

const char* probe() {
  const own_proc readable;
  if (!tells_tid_address()) return "the kernel doesn't tell where a thread's id is kept (CONFIG_CHECKPOINT_RESTORE)";
  if (!can_open("/proc/self/task") || !can_open("/proc/self/pagemap")) return "/proc isn't mounted, or can't be read";
  if (has_shadow_stack()) return "this process runs with shadow stacks (Intel CET)";
  if (!can_queue_signals()) return "signals can't be queued to threads (rt_tgsigqueueinfo), as under a seccomp filter";
  if (!can_catch_stop_signal())
    return "the C library's own signal can't be caught (rt_sigaction), as under a seccomp filter";
  if (!knows_locks_of_libc())
    return "the C library's locks are laid out in a way that isn't known: it isn't glibc 2.28 to 2.41";
  return nullptr;
}

}  // namespace

const char* why_not_all_threads() {
  static const char* const reason = probe();
  return reason;
}

}  // namespace truefork::fork
