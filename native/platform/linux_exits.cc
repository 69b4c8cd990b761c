// Linux: pidfd_open(2) since 5.3, pidfd_send_signal(2) since 5.1. An older kernel answers ENOSYS, a seccomp filter
// perhaps EPERM.
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../posix/result.h"
#include "exits.h"
#include "spare_descriptor.h"

namespace truefork::platform {

namespace {

// Younger than the oldest headers we build with; the same on every processor.
constexpr long sys_pidfd_send_signal = 424;
constexpr long sys_pidfd_open = 434;

// The kernel gives the lowest free number, so the number tells how full the table is. One half is left to the program:
// a program with ever so many children can open files and accept connections.
bool leaves_room(int fd) noexcept {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) != 0 || static_cast<rlim_t>(fd) < limit.rlim_cur / 2;
}

// Takes `fd` over, or closes it.
int watch_own(int watch, int fd) noexcept {
  if (fd < 0) return fd;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.fd = fd;
  const int failure = leaves_room(fd) ? from_errno(epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event)) : -EMFILE;
  if (failure == 0) return fd;
  close(fd);
  return failure;
}

// Whether a process runs in our memory, as the child of posix_spawn does until its exec; kcmp(2).
bool shares_memory(pid_t pid) noexcept { return syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0) == 0; }

int read_pid(int fd, int64_t& pid) {
  const std::string path = "/proc/thread-self/fdinfo/" + std::to_string(fd);
  FILE* const info = fopen(path.c_str(), "re");
  if (info == nullptr) return -errno;
  char line[128];
  while (fgets(line, sizeof line, info) != nullptr) {
    if (strncmp(line, "Pid:", 4) == 0) pid = strtoll(line + 4, nullptr, 10);
  }
  fclose(info);
  return 0;
}

}  // namespace

int pidfd_open(pid_t pid, unsigned flags) noexcept {
  return static_cast<int>(from_errno(syscall(sys_pidfd_open, pid, flags)));
}

int pidfd_send_signal(int pidfd, int signal) noexcept {
  return static_cast<int>(from_errno(syscall(sys_pidfd_send_signal, pidfd, signal, nullptr, 0)));
}

int64_t pid_of_pidfd(int fd) {
  int64_t pid = 0;
  if (read_pid(fd, pid) == -EMFILE) with_spare_descriptor([fd, &pid] { return read_pid(fd, pid); });
  return pid;
}

int pidfd_has_ended(int pidfd) noexcept {
  pollfd polled{pidfd, POLLIN, 0};
  const int ready = from_errno(poll(&polled, 1, 0));
  return ready > 0 && (polled.revents & POLLNVAL) != 0 ? -EBADF : ready;
}

int open_exit_watch() noexcept { return from_errno(epoll_create1(EPOLL_CLOEXEC)); }

int watch_exit(int watch, pid_t pid) noexcept { return watch_own(watch, pidfd_open(pid, 0)); }

int watch_exit_of_pidfd(int watch, int pidfd) noexcept {
  // A duplicate: an epoll takes a descriptor once, and its owner may close it meanwhile.
  return watch_own(watch, from_errno(fcntl(pidfd, F_DUPFD_CLOEXEC, 0)));
}

void unwatch_exit(int watch, int token) noexcept {
  // Not by close alone: a child of fork may have the same open file, and the epoll would go on telling of it.
  epoll_ctl(watch, EPOLL_CTL_DEL, token, nullptr);
  close(token);
}

size_t take_exits(int watch, int* tokens, size_t capacity) noexcept {
  constexpr size_t most = 256;
  epoll_event events[most];
  const int count = epoll_wait(watch, events, static_cast<int>(std::min(capacity, most)), 0);
  for (int i = 0; i < count; ++i) tokens[i] = events[i].data.fd;
  return static_cast<size_t>(std::max(count, 0));
}

void leave_exit_watch_to_parent(int watch) noexcept { close(watch); }

void kill_unborn(int64_t tid) noexcept {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%lld/children", static_cast<long long>(tid));
  FILE* const children = fopen(path, "re");  // needs CONFIG_PROC_CHILDREN; proc_pid_task(5)
  if (children == nullptr) return;
  int pid = 0;
  while (fscanf(children, "%d", &pid) == 1) {
    // A pidfd, as libc reaps a child whose exec fails: the look and the signal are for the same process.
    const int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) continue;
    if (shares_memory(pid)) pidfd_send_signal(pidfd, SIGKILL);
    close(pidfd);
  }
  fclose(children);
}

}  // namespace truefork::platform
