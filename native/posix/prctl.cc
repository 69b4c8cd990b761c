#include "prctl.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "../platform/exits.h"
#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

namespace {

// Whose child this process was made, or was when the addon was loaded.
pid_t first_parent = ::getppid();

// 0 stands for a parent in another pid namespace, which can't be told from others; pid_namespaces(7).
bool parent_has_ended() noexcept { return first_parent != 0 && ::getppid() != 0 && ::getppid() != first_parent; }

void* wait_and_end(void* watch) noexcept {
  pollfd polled{static_cast<int>(reinterpret_cast<intptr_t>(watch)), POLLIN, 0};
  while (::poll(&polled, 1, -1) <= 0) {
  }
  ::kill(::getpid(), SIGKILL);
  return nullptr;
}

int start_thread(void* (*run)(void*), void* argument) noexcept {
  pthread_attr_t attributes;
  int failure = from_code(pthread_attr_init(&attributes));
  if (failure != 0) return failure;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, std::max<size_t>(PTHREAD_STACK_MIN, size_t{64} * 1024));
  // Signals are for threads that can run JavaScript.
  sigset_t every_signal;
  sigset_t previous;
  sigfillset(&every_signal);
  pthread_sigmask(SIG_BLOCK, &every_signal, &previous);
  pthread_t thread{};
  failure = from_code(pthread_create(&thread, &attributes, run, argument));
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  pthread_attr_destroy(&attributes);
  return failure;
}

}  // namespace

int end_with_parent(pid_t parent) noexcept {
  const int watch = platform::open_exit_watch();
  if (watch < 0) return watch;
  int failure = std::min(platform::watch_exit(watch, parent), 0);
  // The pid may be another's by now, and then it isn't watched for what it was.
  if (failure == -ESRCH || ::getppid() != parent) return from_errno(::kill(::getpid(), SIGKILL));
  if (failure == 0) failure = start_thread(wait_and_end, reinterpret_cast<void*>(static_cast<intptr_t>(watch)));
  if (failure != 0) ::close(watch);
  return failure;
}

int set_parent_death_signal(int signal) noexcept {
  const int failure = platform::set_parent_death_signal(signal);
  if (failure != 0 || signal == 0) return failure;
  // A parent that ended before the call tells nobody any more.
  return parent_has_ended() ? from_errno(::kill(::getpid(), signal)) : 0;
}

int set_child_subreaper(bool on) noexcept { return platform::set_child_subreaper(on); }

void note_parent(pid_t pid) noexcept { first_parent = pid; }

}  // namespace truefork::posix
