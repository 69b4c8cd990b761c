// Linux, glibc and musl. Calls younger than the oldest C library we load on (glibc 2.28) are looked up at run
// time, so that one binary serves all of them and the missing ones answer ENOSYS.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../posix/result.h"
#include "platform.h"
#include "spare_descriptor.h"

namespace truefork::platform {

namespace {

// A function of the C library that may not be there.
template <typename Function>
Function optional_function(const char* name) noexcept {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

// Calls a posix_spawn extension, which returns the error number, or says that this libc lacks it.
template <typename... Arguments>
int call_optional(const char* name, Arguments... arguments) noexcept {
  using function_type = int (*)(Arguments...);
  const auto function = optional_function<function_type>(name);
  return function == nullptr ? -ENOSYS : from_code(function(arguments...));
}

// The whole of a small /proc file. False when it can't be opened, as under a full descriptor table.
bool read_proc_file(const char* path, std::vector<char>& text) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t used = 0;
  for (;;) {
    text.resize(used + 65536);
    const ssize_t count = read(fd, text.data() + used, text.size() - used - 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    used += static_cast<size_t>(count);
  }
  close(fd);
  text.resize(used);
  text.push_back('\0');
  return true;
}

// As much of it as `text` holds, without memory of its own: a process that has no more is told what a fork would meet.
template <size_t size>
bool read_beginning(const char* path, char (&text)[size]) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t count = 0;
  do {
    count = read(fd, text, size - 1);
  } while (count < 0 && errno == EINTR);
  close(fd);
  text[count < 0 ? 0 : count] = '\0';
  return true;
}

// The threads of this process but `left_out`. Holds one descriptor at a time, as there may be no other.
int read_threads(std::vector<thread_info>& threads, std::vector<uint64_t>* blocked, int64_t left_out) {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return -errno;
  while (const dirent* entry = readdir(tasks)) {
    const int64_t tid = strtoll(entry->d_name, nullptr, 10);
    if (tid != 0 && tid != left_out) threads.push_back({tid, {}, '?'});
  }
  closedir(tasks);
  for (size_t i = 0; i < threads.size();) {
    thread_info& thread = threads[i];
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%lld/status", static_cast<long long>(thread.tid));
    char text[2048];  // proc_pid_status(5)
    if (!read_beginning(path, text)) {
      if (errno == EMFILE) return -EMFILE;
      threads.erase(threads.begin() + static_cast<std::ptrdiff_t>(i));  // it ended since
      continue;
    }
    // status and not stat: a name may hold spaces and brackets.
    sscanf(text, "Name:\t%63[^\n]", thread.name);
    if (const char* state = strstr(text, "\nState:\t")) thread.state = state[8];
    if (blocked != nullptr) {
      const char* const mask = strstr(text, "\nSigBlk:\t");
      blocked->push_back(mask == nullptr ? 0 : strtoull(mask + 9, nullptr, 16));
    }
    ++i;
  }
  return 0;
}

}  // namespace

char** environment() noexcept { return environ; }

int64_t gettid() noexcept { return syscall(SYS_gettid); }  // glibc has had a wrapper since 2.30

int prlimit(pid_t pid, int resource, const rlimit* wanted, rlimit* previous) noexcept {
  // The kernel's rlimit64 is libc's rlimit on 64-bit machines; prlimit(2).
  static_assert(sizeof(rlim_t) == 8);
  return static_cast<int>(from_errno(syscall(SYS_prlimit64, pid, resource, wanted, previous)));
}

int set_parent_death_signal(int signal) noexcept { return from_errno(prctl(PR_SET_PDEATHSIG, signal)); }

int set_child_subreaper(bool on) noexcept {
  return from_errno(prctl(PR_SET_CHILD_SUBREAPER, on ? 1L : 0L, 0L, 0L, 0L));
}

int open_pty_master() noexcept { return from_errno(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)); }

int open_pty_slave(int master, const char* name) noexcept {
  constexpr int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  // By the master and not by its path, which may lead elsewhere in another mount namespace; Linux 4.13, ioctl_tty(2).
  const int slave = from_errno(ioctl(master, TIOCGPTPEER, flags));
  return slave == -EINVAL || slave == -ENOTTY ? from_errno(open(name, flags)) : slave;
}

int ptsname(int master, char* name, size_t size) noexcept { return from_code(ptsname_r(master, name, size)); }

bool unwatch(int loop_fd, int fd) noexcept {
  epoll_event none{};  // not null: a bug of Linux before 2.6.9; epoll_ctl(2)
  return epoll_ctl(loop_fd, EPOLL_CTL_DEL, fd, &none) == 0;
}

void watch_input(int loop_fd, int fd) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;  // as libuv has it
  epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &event);
}

int pipe2(int descriptors[2], int flags) noexcept { return from_errno(::pipe2(descriptors, flags)); }

int dup3(int fd, int new_fd, int flags) noexcept { return from_errno(::dup3(fd, new_fd, flags)); }

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
    case F_GETSIG:
    case F_SETSIG:
    case F_GETLEASE:
    case F_SETLEASE:
    case F_NOTIFY:
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
    case F_GET_SEALS:
    case F_ADD_SEALS:
      return true;
    default:
      return false;
  }
}

int execvpe(const char* file, char* const argv[], char* const envp[]) noexcept {
  return from_errno(::execvpe(file, argv, envp));
}

int fexecve(int fd, char* const argv[], char* const envp[]) noexcept { return from_errno(::fexecve(fd, argv, envp)); }

// Linux keeps for each child the thread that made it; wait(2), "Linux notes".
const int wait_own_thread = __WNOTHREAD;

// clang-format takes #name for a directive.
// clang-format off
#define TRUEFORK_CONSTANT(name) {#name, name}
// clang-format on
const constant own_constants[] = {
    TRUEFORK_CONSTANT(O_DIRECT),
    TRUEFORK_CONSTANT(O_PATH),
    TRUEFORK_CONSTANT(O_TMPFILE),
    TRUEFORK_CONSTANT(F_GETSIG),
    TRUEFORK_CONSTANT(F_SETSIG),
    TRUEFORK_CONSTANT(F_GETLEASE),
    TRUEFORK_CONSTANT(F_SETLEASE),
    TRUEFORK_CONSTANT(F_NOTIFY),
    TRUEFORK_CONSTANT(F_GETPIPE_SZ),
    TRUEFORK_CONSTANT(F_SETPIPE_SZ),
    TRUEFORK_CONSTANT(F_ADD_SEALS),
    TRUEFORK_CONSTANT(F_GET_SEALS),
    TRUEFORK_CONSTANT(SCHED_BATCH),
    TRUEFORK_CONSTANT(SCHED_IDLE),
    TRUEFORK_CONSTANT(RLIMIT_LOCKS),
    TRUEFORK_CONSTANT(RLIMIT_MSGQUEUE),
    TRUEFORK_CONSTANT(RLIMIT_NICE),
    TRUEFORK_CONSTANT(RLIMIT_RTPRIO),
    TRUEFORK_CONSTANT(RLIMIT_RTTIME),
    TRUEFORK_CONSTANT(RLIMIT_SIGPENDING),
    TRUEFORK_CONSTANT(SOCK_CLOEXEC),
    TRUEFORK_CONSTANT(SOCK_NONBLOCK),
    // Younger than the oldest headers we build with: Linux 5.4, 5.9, 5.11 and 5.10.
    {"P_PIDFD", 3},
    {"CLOSE_RANGE_UNSHARE", 2},
    {"CLOSE_RANGE_CLOEXEC", 4},
    {"PIDFD_NONBLOCK", O_NONBLOCK},
    {nullptr, 0},
};
#undef TRUEFORK_CONSTANT

bool children_of_thread(std::vector<pid_t>& pids) {
  // Needs CONFIG_PROC_CHILDREN; proc_pid_task(5).
  std::vector<char> text;
  if (!read_proc_file("/proc/thread-self/children", text)) return false;
  char* rest = nullptr;
  for (char* word = strtok_r(text.data(), " \n", &rest); word != nullptr; word = strtok_r(nullptr, " \n", &rest)) {
    pids.push_back(static_cast<pid_t>(strtol(word, nullptr, 10)));
  }
  return true;
}

int64_t max_rss_kilobytes(const rusage& usage) noexcept { return usage.ru_maxrss; }  // the unit of Linux; getrusage(2)

int add_inherit(posix_spawn_file_actions_t* actions, int fd) noexcept {
  // dup2 of a descriptor onto itself clears FD_CLOEXEC here (glibc 2.29, musl 1.1.24, POSIX.1-2024).
  return from_code(posix_spawn_file_actions_adddup2(actions, fd, fd));
}

int add_chdir(posix_spawn_file_actions_t* actions, const char* path) noexcept {
  return call_optional("posix_spawn_file_actions_addchdir_np", actions, path);  // glibc 2.29
}

int add_fchdir(posix_spawn_file_actions_t* actions, int fd) noexcept {
  return call_optional("posix_spawn_file_actions_addfchdir_np", actions, fd);  // glibc 2.29
}

int add_closefrom(posix_spawn_file_actions_t* actions, int fd) noexcept {
  return call_optional("posix_spawn_file_actions_addclosefrom_np", actions, fd);  // glibc 2.34
}

int add_tcsetpgrp(posix_spawn_file_actions_t* actions, int fd) noexcept {
  return call_optional("posix_spawn_file_actions_addtcsetpgrp_np", actions, fd);  // glibc 2.35
}

int add_inherit_np(posix_spawn_file_actions_t* /*actions*/, int /*fd*/) noexcept { return -ENOSYS; }

int set_scheduler(posix_spawnattr_t* attributes, bool has_policy, int policy, int priority, short* flags) noexcept {
  sched_param parameters{};
  parameters.sched_priority = priority;
  const int failure = posix_spawnattr_setschedparam(attributes, &parameters);
  if (failure != 0) return from_code(failure);
  if (!has_policy) {
    *flags |= POSIX_SPAWN_SETSCHEDPARAM;
    return 0;
  }
  *flags |= POSIX_SPAWN_SETSCHEDULER;
  return from_code(posix_spawnattr_setschedpolicy(attributes, policy));
}

int set_setsid(short* flags) noexcept {
  *flags |= 0x80;  // POSIX_SPAWN_SETSID, glibc 2.26 and musl: hidden without _GNU_SOURCE
  return 0;
}

int set_cgroup(posix_spawnattr_t* attributes, int fd, short* flags) noexcept {
  const int failure = call_optional("posix_spawnattr_setcgroup_np", attributes, fd);  // glibc 2.39
  if (failure == 0) *flags |= 0x100;                                                  // POSIX_SPAWN_SETCGROUP
  return failure;
}

int set_cloexec_default(short* /*flags*/) noexcept { return -ENOSYS; }
int set_start_suspended(short* /*flags*/) noexcept { return -ENOSYS; }
int set_setexec(short* /*flags*/) noexcept { return -ENOSYS; }

size_t count_threads() noexcept {
  struct stat tasks {};
  // A folder has a link for each folder in it, and two.
  return stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink - 2 : 0;
}

bool is_kernel_worker(int64_t tid) {
  char path[64];
  char text[1024];
  snprintf(path, sizeof path, "/proc/self/task/%lld/stat", static_cast<long long>(tid));
  if (!read_beginning(path, text)) return false;
  // After the name, which may itself hold brackets; proc_pid_stat(5).
  const char* const rest = strrchr(text, ')');
  unsigned flags = 0;
  if (rest == nullptr || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %u", &flags) != 1) return false;
  constexpr unsigned io_worker = 0x10;      // PF_IO_WORKER
  constexpr unsigned user_worker = 0x4000;  // PF_USER_WORKER, Linux 6.4
  return (flags & (io_worker | user_worker)) != 0;
}

int list_threads(std::vector<thread_info>& threads, std::vector<uint64_t>* blocked) {
  const int failure = read_threads(threads, blocked, 0);
  if (failure != -EMFILE) return failure;
  threads.clear();
  if (blocked != nullptr) blocked->clear();
  return with_spare_descriptor([&threads, blocked] { return read_threads(threads, blocked, gettid()); });
}

}  // namespace truefork::platform
