#include "posix/runtime_state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

namespace {

// Everything of this process that runtime_state touches.
struct image {
  sigset_t mask{};
  void (*handlers[NSIG])(int){};
  int flags[NSIG]{};
  int descriptor_flags[3]{};
  int status_flags[3]{};

  image() {
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    for (int signal = 1; signal < NSIG; ++signal) {
      struct sigaction action {};
      sigaction(signal, nullptr, &action);
      handlers[signal] = action.sa_handler;
      flags[signal] = action.sa_flags;
    }
    for (int fd = 0; fd < 3; ++fd) {
      descriptor_flags[fd] = fcntl(fd, F_GETFD);
      status_flags[fd] = fcntl(fd, F_GETFL);
    }
  }

  bool operator==(const image& other) const {
    for (int signal = 1; signal < NSIG; ++signal) {
      if (handlers[signal] != other.handlers[signal] || flags[signal] != other.flags[signal]) return false;
      if (sigismember(&mask, signal) != sigismember(&other.mask, signal)) return false;
    }
    for (int fd = 0; fd < 3; ++fd) {
      if (descriptor_flags[fd] != other.descriptor_flags[fd] || status_flags[fd] != other.status_flags[fd])
        return false;
    }
    return true;
  }
};

void handle(int) {}

// As Node leaves a process, and a program in it: ignored signals, a mask, handlers, flags of 0-2.
void live_as_node_does() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  int ends[2];
  EXPECT(pipe(ends) == 0);
  dup2(ends[0], STDIN_FILENO);
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  fcntl(STDIN_FILENO, F_SETFD, FD_CLOEXEC);
}

void given_back_state_is_a_new_programs() {
  truefork::runtime_state state;
  state.give_back();
  const image now;
  EXPECT(now.handlers[SIGPIPE] == SIG_DFL);
  EXPECT(now.handlers[SIGUSR1] == SIG_DFL);  // fork.signals-15, by our rule: nothing stays ignored
  EXPECT(now.handlers[SIGTERM] == handle);   // exec itself resets it
  EXPECT(sigismember(&now.mask, SIGUSR2) == 0);
  EXPECT(now.descriptor_flags[0] == 0);
  EXPECT((now.status_flags[0] & O_NONBLOCK) == 0);
  state.take_up_again();
}

void taken_up_again_everything_is_as_it_was() {
  const image before;
  truefork::runtime_state state;
  state.give_back();
  const image between;
  EXPECT(!(between == before));
  state.take_up_again();
  const image after;
  EXPECT(after == before);
}

void closed_descriptor_stays_closed() {
  const pid_t pid = test::in_child([] {
    close(STDIN_FILENO);
    truefork::runtime_state state;
    state.give_back();
    state.take_up_again();
    EXPECT(fcntl(STDIN_FILENO, F_GETFD) == -1);
    return 0;
  });
  EXPECT(test::ending(pid) == 0);
}

void terminal_mode_comes_back() {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
    fprintf(stderr, "terminal_mode_comes_back left out: no pseudo-terminal here\n");
    return;
  }
  const pid_t pid = test::in_child([master] {
    dup2(open(ptsname(master), O_RDWR | O_NOCTTY), STDIN_FILENO);
    termios raw;
    EXPECT(tcgetattr(STDIN_FILENO, &raw) == 0);
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    EXPECT(tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0);
    truefork::runtime_state state;
    state.give_back();
    termios changed = raw;
    changed.c_lflag |= ICANON | ECHO;
    tcsetattr(STDIN_FILENO, TCSANOW, &changed);  // as uv_tty_reset_mode does after setRawMode()
    state.take_up_again();
    termios now;
    EXPECT(tcgetattr(STDIN_FILENO, &now) == 0);
    EXPECT((now.c_lflag & (ICANON | ECHO)) == 0);
    return 0;
  });
  EXPECT(test::ending(pid) == 0);
  close(master);
}

}  // namespace

int main() {
  live_as_node_does();
  given_back_state_is_a_new_programs();
  taken_up_again_everything_is_as_it_was();
  closed_descriptor_stays_closed();
  terminal_mode_comes_back();
  return test::failures != 0;
}
