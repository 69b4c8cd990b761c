#include "posix/signals.h"

#include <signal.h>

#include "check.h"
#include "posix/exec.h"
#include "posix/result.h"
#include "posix/wait.h"

namespace posix = truefork::posix;

namespace {

// Ends with 0 if no signal is ignored or blocked.
constexpr char no_signal_set[] =
    "while read -r name value; do case $name in SigIgn:|SigBlk:) [ \"$value\" = 0000000000000000 ] || exit 1;; esac; "
    "done < /proc/self/status";

// SIGUSR1 and SIGUSR2.
void ignore_and_block() {
  signal(SIGUSR1, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  sigprocmask(SIG_BLOCK, &mask, nullptr);
}

void new_program_has_no_signal_ignored_or_blocked() {
  const pid_t pid = test::in_child([] {
    ignore_and_block();
    char shell[] = "sh";
    char option[] = "-c";
    char program[sizeof no_signal_set];
    snprintf(program, sizeof program, "%s", no_signal_set);
    char* const argv[] = {shell, option, program, nullptr};
    char* const envp[] = {nullptr};
    return -posix::execve("/bin/sh", argv, envp);
  });
  EXPECT(test::ending(pid) == 0);  // fork.signals-15, by our rule
}

void failed_exec_leaves_ignored_and_blocked_signals() {
  const pid_t pid = test::in_child([] {
    ignore_and_block();
    char* const none[] = {nullptr};
    EXPECT(posix::execve("/no/such/program", none, none) == -ENOENT);
    sigset_t now;
    sigprocmask(SIG_SETMASK, nullptr, &now);
    struct sigaction action;
    sigaction(SIGUSR1, nullptr, &action);
    EXPECT(action.sa_handler == SIG_IGN && sigismember(&now, SIGUSR2) == 1);
    return 0;
  });
  EXPECT(test::ending(pid) == 0);
}

// The kernel reaps children itself then: a wait lasts until the child is gone and finds none.
void wait_under_ignored_sigchld_ends_with_echild() {
  const pid_t pid = test::in_child([] {
    signal(SIGCHLD, SIG_IGN);
    int ends[2];
    EXPECT(pipe(ends) == 0);
    const pid_t child = test::in_child([&ends] {
      char byte;
      close(ends[1]);
      return static_cast<int>(read(ends[0], &byte, 1));
    });
    EXPECT(posix::wait4(child, WNOHANG, {}).pid == 0);
    close(ends[1]);
    EXPECT(posix::wait4(child, 0, {}).pid == -ECHILD);
    EXPECT(posix::kill(child, 0) == -ESRCH);
    return 0;
  });
  EXPECT(test::ending(pid) == 0);  // fork.signals-12
}

void signals_reach_a_process_and_a_group() {
  const pid_t one = test::in_child([] { return pause(); });
  EXPECT(posix::kill(one, SIGTERM) == 0);
  EXPECT(test::ending(one) == -SIGTERM);
  EXPECT(posix::kill(one, 0) == -ESRCH);
  const pid_t leader = test::in_child([] { return pause(); });
  setpgid(leader, leader);
  EXPECT(posix::killpg(leader, SIGINT) == 0);
  EXPECT(test::ending(leader) == -SIGINT);
  EXPECT(posix::kill(getpid(), 1000) == -EINVAL);
}

}  // namespace

int main() {
  new_program_has_no_signal_ignored_or_blocked();
  failed_exec_leaves_ignored_and_blocked_signals();
  wait_under_ignored_sigchld_ends_with_echild();
  signals_reach_a_process_and_a_group();
  return test::failures != 0;
}
