#include "watchdog.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace whole_fork {

namespace {

void show_and_kill(pid_t pid) {
  const std::string debugger = "gdb -p " + std::to_string(pid) + " -batch -ex 'thread apply all backtrace 12' >&2";
  if (system(debugger.c_str()) != 0) fprintf(stderr, "no gdb here, or process %d has ended\n", pid);
  kill(pid, SIGKILL);
}

[[noreturn]] void watch(int signs, int patience, pid_t test) {
  pid_t child = 0;
  for (;;) {
    pollfd wanted{signs, POLLIN, 0};
    if (poll(&wanted, 1, patience * 1000) == 0) {
      fprintf(stderr, "nothing has happened for %d seconds\n", patience);
      if (child > 0) show_and_kill(child);
      show_and_kill(test);
      _exit(1);
    }
    if (read(signs, &child, sizeof child) != sizeof child) _exit(0);  // the test has ended
  }
}

}  // namespace

watchdog::watchdog(int patience) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  const pid_t test = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    close(ends[1]);
    watch(ends[0], patience, test);
  }
  close(ends[0]);
  sign_ = ends[1];
}

watchdog::~watchdog() {
  close(sign_);
  waitpid(pid_, nullptr, 0);
}

void watchdog::await(pid_t child) const {
  if (write(sign_, &child, sizeof child) != sizeof child) perror("watchdog");
}

}  // namespace whole_fork
