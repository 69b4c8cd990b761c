// macOS: kqueue(2) with EVFILT_PROC. Compiled by scripts/check-darwin.mjs, never run by our own machines.
#include <fcntl.h>
#include <sys/event.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "../posix/result.h"
#include "exits.h"

namespace truefork::platform {

namespace {

int change(int watch, pid_t pid, uint16_t flags) noexcept {
  struct kevent event {};
  EV_SET(&event, static_cast<uintptr_t>(pid), EVFILT_PROC, flags, NOTE_EXIT, 0, nullptr);
  return from_errno(kevent(watch, &event, 1, nullptr, 0, nullptr));
}

}  // namespace

int pidfd_open(pid_t /*pid*/, unsigned /*flags*/) noexcept { return -ENOSYS; }
int pidfd_send_signal(int /*pidfd*/, int /*signal*/) noexcept { return -ENOSYS; }
int64_t pid_of_pidfd(int /*pidfd*/) { return 0; }
int pidfd_has_ended(int /*pidfd*/) noexcept { return -ENOSYS; }

int open_exit_watch() noexcept {
  const int watch = from_errno(kqueue());
  if (watch >= 0) fcntl(watch, F_SETFD, FD_CLOEXEC);
  return watch;
}

// ESRCH also for a child that has ended already: it is looked for, then.
int watch_exit(int watch, pid_t pid) noexcept {
  const int failure = change(watch, pid, EV_ADD | EV_ONESHOT);
  return failure == 0 ? pid : failure;
}

int watch_exit_of_pidfd(int /*watch*/, int /*pidfd*/) noexcept { return -ENOSYS; }

void unwatch_exit(int watch, int token) noexcept { change(watch, token, EV_DELETE); }

size_t take_exits(int watch, int* tokens, size_t capacity) noexcept {
  constexpr size_t most = 256;
  struct kevent events[most];
  const timespec at_once{};
  const int count = kevent(watch, nullptr, 0, events, static_cast<int>(std::min(capacity, most)), &at_once);
  for (int i = 0; i < count; ++i) tokens[i] = static_cast<int>(events[i].ident);
  return static_cast<size_t>(std::max(count, 0));
}

// No kqueue is inherited: the number may be somebody else's by now.
void leave_exit_watch_to_parent(int /*watch*/) noexcept {}

// The kernel makes the child, and shows it only when it is whole.
void kill_unborn(int64_t /*tid*/) noexcept {}

}  // namespace truefork::platform
