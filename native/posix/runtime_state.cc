#include "runtime_state.h"

#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

namespace truefork {

namespace {

// Not the thread's own mask: Node starts its main thread with SIGUSR1 blocked until the inspector listens. Zeros are
// an empty set in every C library.
thread_local sigset_t user_mask{};

}  // namespace

sigset_t program_mask() noexcept { return user_mask; }

void change_program_mask(int how, const sigset_t& signals) noexcept {
  for (int signal = 1; signal < NSIG; ++signal) {
    const bool named = sigismember(&signals, signal) == 1;
    if (named && how != SIG_UNBLOCK) sigaddset(&user_mask, signal);
    if (how == SIG_SETMASK ? !named : named && how == SIG_UNBLOCK) sigdelset(&user_mask, signal);
  }
}

void runtime_state::give_back() noexcept {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask_);
  give_back_stdio();
  give_back_signals();
  const sigset_t mask = program_mask();
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

void runtime_state::give_back_stdio() noexcept {
  for (int fd = 0; fd < stdio_count; ++fd) has_mode_[fd] = tcgetattr(fd, &mode_[fd]) == 0;
  // The mode that setRawMode() found. libuv alone remembers it.
  uv_tty_reset_mode();
  for (int fd = 0; fd < stdio_count; ++fd) {
    descriptor_flags_[fd] = fcntl(fd, F_GETFD);
    status_flags_[fd] = fcntl(fd, F_GETFL);
    if (descriptor_flags_[fd] == -1) continue;
    // Node sets FD_CLOEXEC on every descriptor it was started with (uv_disable_stdio_inheritance), and
    // O_NONBLOCK on pipes and sockets it reads and writes.
    fcntl(fd, F_SETFD, descriptor_flags_[fd] & ~FD_CLOEXEC);
    if ((status_flags_[fd] & O_NONBLOCK) != 0) fcntl(fd, F_SETFL, status_flags_[fd] & ~O_NONBLOCK);
  }
}

void runtime_state::give_back_signals() noexcept {
  // exec resets handlers by itself, but what is ignored stays ignored: Node ignores SIGPIPE and SIGXFSZ.
  sigemptyset(&ignored_);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) continue;
    sigaddset(&ignored_, signal);
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
  }
}

void runtime_state::take_up_again() noexcept {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&ignored_, signal) != 1) continue;
    struct sigaction action;
    sigaction(signal, nullptr, &action);
    action.sa_handler = SIG_IGN;
    sigaction(signal, &action, nullptr);
  }
  for (int fd = 0; fd < stdio_count; ++fd) {
    if (descriptor_flags_[fd] == -1) continue;
    fcntl(fd, F_SETFD, descriptor_flags_[fd]);
    if ((status_flags_[fd] & O_NONBLOCK) != 0) fcntl(fd, F_SETFL, status_flags_[fd]);
    if (has_mode_[fd]) tcsetattr(fd, TCSANOW, &mode_[fd]);
  }
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
}

}  // namespace truefork
