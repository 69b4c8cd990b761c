// macOS 11 and later. Compiled by scripts/check-darwin.mjs, never run by our own machines.
#include <crt_externs.h>
#include <fcntl.h>
#include <libproc.h>
#include <mach/mach.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../posix/result.h"
#include "platform.h"

namespace truefork::platform {

char** environment() noexcept { return *_NSGetEnviron(); }

int64_t gettid() noexcept {
  uint64_t tid = 0;
  pthread_threadid_np(nullptr, &tid);
  return static_cast<int64_t>(tid);
}

int prlimit(pid_t pid, int resource, const rlimit* wanted, rlimit* previous) noexcept {
  // There is no such call. That of this process is getrlimit and setrlimit.
  if (pid != 0 && pid != getpid()) return -ENOSYS;
  const int failure = from_errno(getrlimit(resource, previous));
  return failure != 0 || wanted == nullptr ? failure : from_errno(setrlimit(resource, wanted));
}

int set_parent_death_signal(int /*signal*/) noexcept { return -ENOSYS; }
int set_child_subreaper(bool /*on*/) noexcept { return -ENOSYS; }

int open_pty_master() noexcept {
  const int master = from_errno(posix_openpt(O_RDWR | O_NOCTTY));  // takes no O_CLOEXEC
  if (master >= 0) fcntl(master, F_SETFD, FD_CLOEXEC);
  return master;
}

int open_pty_slave(int /*master*/, const char* name) noexcept {
  return from_errno(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

int ptsname(int master, char* name, size_t size) noexcept { return from_errno(ptsname_r(master, name, size)); }

// A forked child's kqueue is new, and libuv fills it only when its loop goes on.
bool unwatch(int /*loop_fd*/, int /*fd*/) noexcept { return false; }
void watch_input(int /*loop_fd*/, int /*fd*/) noexcept {}

int pipe2(int* /*descriptors*/, int /*flags*/) noexcept { return -ENOSYS; }
int dup3(int /*fd*/, int /*new_fd*/, int /*flags*/) noexcept { return -ENOSYS; }

bool fcntl_takes_int(int command) noexcept {
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_GETFD:
    case F_SETFD:
    case F_GETFL:
    case F_SETFL:
    case F_GETOWN:
    case F_SETOWN:
    case F_FULLFSYNC:
    case F_NOCACHE:
    case F_RDAHEAD:
    case F_GETNOSIGPIPE:
    case F_SETNOSIGPIPE:
      return true;
    default:
      return false;
  }
}

int execvpe(const char* file, char* const argv[], char* const envp[]) noexcept {
  // execvp(3) searches by the caller's PATH before it passes `environ` on, so PATH must stay the caller's:
  // execvP takes the search path apart from the environment.
  char** const saved = environment();
  const char* path = nullptr;
  for (char** entry = saved; *entry != nullptr; ++entry) {
    if (strncmp(*entry, "PATH=", 5) == 0) path = *entry + 5;
  }
  *_NSGetEnviron() = const_cast<char**>(envp);
  execvP(file, path == nullptr ? "/usr/bin:/bin" : path, argv);
  const int failure = errno;
  *_NSGetEnviron() = saved;
  return -failure;
}

int fexecve(int /*fd*/, char* const* /*argv*/, char* const* /*envp*/) noexcept { return -ENOSYS; }

const int wait_own_thread = 0;

const constant own_constants[] = {{nullptr, 0}};

bool children_of_thread(std::vector<pid_t>& /*pids*/) { return false; }

int64_t max_rss_kilobytes(const rusage& usage) noexcept { return usage.ru_maxrss / 1024; }  // getrusage(2): bytes

int add_inherit(posix_spawn_file_actions_t* actions, int fd) noexcept {
  return from_code(posix_spawn_file_actions_addinherit_np(actions, fd));
}

int add_chdir(posix_spawn_file_actions_t* actions, const char* path) noexcept {
  return from_code(posix_spawn_file_actions_addchdir_np(actions, path));
}

int add_fchdir(posix_spawn_file_actions_t* actions, int fd) noexcept {
  return from_code(posix_spawn_file_actions_addfchdir_np(actions, fd));
}

int add_closefrom(posix_spawn_file_actions_t* /*actions*/, int /*fd*/) noexcept { return -ENOSYS; }
int add_tcsetpgrp(posix_spawn_file_actions_t* /*actions*/, int /*fd*/) noexcept { return -ENOSYS; }

int add_inherit_np(posix_spawn_file_actions_t* actions, int fd) noexcept { return add_inherit(actions, fd); }

int set_scheduler(posix_spawnattr_t* /*attributes*/, bool /*has_policy*/, int /*policy*/, int /*priority*/,
                  short* /*flags*/) noexcept {
  return -ENOSYS;
}

int set_setsid(short* flags) noexcept {
  *flags |= 0x0400;  // POSIX_SPAWN_SETSID, macOS 10.15
  return 0;
}

int set_cgroup(posix_spawnattr_t* /*attributes*/, int /*fd*/, short* /*flags*/) noexcept { return -ENOSYS; }

int set_cloexec_default(short* flags) noexcept {
  *flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
  return 0;
}

int set_start_suspended(short* flags) noexcept {
  *flags |= POSIX_SPAWN_START_SUSPENDED;
  return 0;
}

int set_setexec(short* flags) noexcept {
  *flags |= POSIX_SPAWN_SETEXEC;
  return 0;
}

// V8 marks its heap only on Linux; minherit(2) on macOS leaves it shared by copy.
int uncopied_memory(std::vector<memory_range>& /*ranges*/) { return 0; }

size_t count_threads() noexcept {
  std::vector<thread_info> threads;
  return list_threads(threads) == 0 ? threads.size() : 0;
}

int list_threads(std::vector<thread_info>& threads, std::vector<uint64_t>* blocked) {
  thread_act_array_t ports = nullptr;
  mach_msg_type_number_t count = 0;
  if (task_threads(mach_task_self(), &ports, &count) != KERN_SUCCESS) return -EPERM;
  for (mach_msg_type_number_t i = 0; i < count; ++i) {
    thread_identifier_info_data_t id{};
    mach_msg_type_number_t size = THREAD_IDENTIFIER_INFO_COUNT;
    if (::thread_info(ports[i], THREAD_IDENTIFIER_INFO, reinterpret_cast<thread_info_t>(&id), &size) == KERN_SUCCESS) {
      thread_info thread{static_cast<int64_t>(id.thread_id), {}, '?'};
      const pthread_t pthread = pthread_from_mach_thread_np(ports[i]);
      if (pthread != nullptr) pthread_getname_np(pthread, thread.name, sizeof thread.name);
      threads.push_back(thread);
      if (blocked != nullptr) blocked->push_back(0);
    }
    mach_port_deallocate(mach_task_self(), ports[i]);
  }
  vm_deallocate(mach_task_self(), reinterpret_cast<vm_address_t>(ports), count * sizeof *ports);
  return 0;
}

bool is_kernel_worker(int64_t /*tid*/) { return false; }

// No call tells what another thread was started for, or waits for.
std::vector<thread_origin> thread_origins() { return {}; }
std::vector<lock_wait> lock_waits(const std::vector<int64_t>& /*tids*/) { return {}; }

huge_page_use huge_pages() { return {}; }
// Only with the rights of a debugger; task_for_pid.
const constant system_calls[] = {{nullptr, 0}};
int64_t tid_offset() noexcept { return -1; }
void try_calls(std::vector<probe>& /*probes*/) {}

}  // namespace truefork::platform
