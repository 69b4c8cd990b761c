#include "posix/wait.h"

#include <signal.h>
#include <sys/syscall.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "check.h"
#include "platform/platform.h"
#include "posix/children.h"

namespace posix = truefork::posix;
namespace children = truefork::children;

namespace {

pid_t made(pid_t pid) {
  children::add(pid);
  return pid;
}

pid_t exiting(int code) {
  return made(test::in_child([code] { return code; }));
}

pid_t sleeping() {
  return made(test::in_child([] { return pause(); }));
}

void end(pid_t pid) {
  kill(pid, SIGKILL);
  EXPECT(test::ending(pid) == -SIGKILL);
  children::remove(pid);
}

// Until it is a zombie.
void await_end(pid_t pid) {
  siginfo_t info;
  EXPECT(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
}

void child_is_reaped_once_by_its_pid() {
  const pid_t pid = exiting(3);
  const posix::wait_outcome outcome = posix::wait4(pid, 0, {});
  EXPECT(outcome.pid == pid && WEXITSTATUS(outcome.status) == 3);
  EXPECT(!children::contains(pid));
  EXPECT(posix::wait4(pid, 0, {}).pid == -ECHILD);
}

void wait_for_any_leaves_reserved_children() {
  const pid_t reserved = exiting(1);
  const pid_t other = exiting(2);
  await_end(reserved);
  await_end(other);
  const posix::wait_outcome outcome = posix::wait4(-1, 0, {reserved});
  EXPECT(outcome.pid == other && WEXITSTATUS(outcome.status) == 2);
  EXPECT(posix::wait4(-1, 0, {reserved}).pid == -ECHILD);
  EXPECT(posix::wait4(reserved, 0, {reserved}).pid == -ECHILD);
  EXPECT(posix::wait4(reserved, WNOHANG, {reserved}).pid == -ECHILD);
  siginfo_t info;
  EXPECT(posix::waitid(P_ALL, 0, info, WEXITED, {reserved}) == -ECHILD);
  EXPECT(posix::waitid(P_PID, static_cast<id_t>(reserved), info, WEXITED, {reserved}) == -ECHILD);
  EXPECT(info.si_pid == 0);
  EXPECT(test::ending(reserved) == 1);  // still there for its owner
  children::remove(reserved);
}

void wait_for_any_waits_for_one_that_ends_later() {
  const pid_t reserved = sleeping();
  int ends[2];
  EXPECT(pipe(ends) == 0);
  const pid_t other = made(test::in_child([&ends] {
    char byte;
    close(ends[1]);
    return read(ends[0], &byte, 1) == 0 ? 4 : 1;
  }));
  EXPECT(posix::wait4(-1, WNOHANG, {reserved}).pid == 0);
  std::thread later([&ends] { close(ends[1]); });
  const posix::wait_outcome outcome = posix::wait4(-1, 0, {reserved});
  later.join();
  EXPECT(outcome.pid == other && WEXITSTATUS(outcome.status) == 4);
  close(ends[0]);
  end(reserved);
}

void wait_for_a_group_takes_its_members_alone() {
  const pid_t reserved = sleeping();
  const pid_t elsewhere = exiting(5);
  const pid_t member = made(test::in_child([] { return pause(); }));
  EXPECT(setpgid(member, member) == 0);
  await_end(elsewhere);
  EXPECT(posix::wait4(-member, WNOHANG, {reserved}).pid == 0);
  kill(member, SIGTERM);
  const posix::wait_outcome outcome = posix::wait4(-member, 0, {reserved});
  EXPECT(outcome.pid == member && WTERMSIG(outcome.status) == SIGTERM);
  EXPECT(posix::wait4(-member, 0, {reserved}).pid == -ECHILD);
  siginfo_t info;
  EXPECT(posix::waitid(P_PGID, static_cast<id_t>(getpgrp()), info, WEXITED, {reserved}) == 0);
  EXPECT(info.si_pid == elsewhere && info.si_status == 5);
  end(reserved);
}

void nothing_yet_is_no_error() {
  const pid_t pid = sleeping();
  siginfo_t info;
  EXPECT(posix::wait4(pid, WNOHANG, {}).pid == 0);
  EXPECT(posix::wait4(-1, WNOHANG, {}).pid == 0);
  EXPECT(posix::waitid(P_ALL, 0, info, WEXITED | WNOHANG, {}) == 0);
  EXPECT(info.si_pid == 0);
  end(pid);
}

void waitid_may_leave_the_child_in_place() {
  const pid_t pid = exiting(6);
  siginfo_t info;
  EXPECT(posix::waitid(P_PID, static_cast<id_t>(pid), info, WEXITED | WNOWAIT, {}) == 0);
  EXPECT(info.si_pid == pid && info.si_status == 6 && info.si_code == CLD_EXITED);
  EXPECT(children::contains(pid));
  EXPECT(posix::waitid(P_PID, static_cast<id_t>(pid), info, WEXITED, {}) == 0);
  EXPECT(!children::contains(pid));
}

void bad_options_are_the_kernels_to_refuse() {
  siginfo_t info;
  EXPECT(posix::wait4(-1, 0x10, {1}).pid == -EINVAL);
  EXPECT(posix::wait4(1, 0x10, {}).pid == -EINVAL);
  EXPECT(posix::waitid(P_ALL, 0, info, 0, {1}) == -EINVAL);
}

void stopped_child_is_reported_and_stays_ours() {
  const pid_t pid = sleeping();
  kill(pid, SIGSTOP);
  const posix::wait_outcome outcome = posix::wait4(pid, WUNTRACED, {});
  EXPECT(outcome.pid == pid && WSTOPSIG(outcome.status) == SIGSTOP);
  EXPECT(children::contains(pid));
  end(pid);
}

#ifdef __linux__
// As a Worker's node:child_process makes them: on no list, by a thread that lives on.
void children_of_another_thread_are_left_alone_unless_this_package_made_them() {
  std::mutex mutex;
  std::condition_variable changed;
  pid_t foreign = 0;
  pid_t registered = 0;
  bool done = false;
  std::thread other([&] {
    const pid_t first = test::in_child([] { return 7; });
    const pid_t second = exiting(8);
    await_end(first);
    await_end(second);
    std::unique_lock<std::mutex> lock(mutex);
    foreign = first;
    registered = second;
    changed.notify_all();
    changed.wait(lock, [&done] { return done; });
    EXPECT(test::ending(foreign) == 7);
  });
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&registered] { return registered != 0; });
  }
  EXPECT(posix::wait4(-1, 0, {}).pid == -ECHILD);
  EXPECT(posix::wait4(-1, 0, {1}).pid == -ECHILD);
  EXPECT(posix::wait4(foreign, 0, {}).pid == -ECHILD);
  const posix::wait_outcome outcome = posix::wait4(registered, 0, {});
  EXPECT(outcome.pid == registered && WEXITSTATUS(outcome.status) == 8);
  {
    const std::lock_guard<std::mutex> lock(mutex);
    done = true;
  }
  changed.notify_all();
  other.join();
}

void pidfd_of_a_reserved_child_is_left_alone() {
  const pid_t pid = exiting(9);
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    fprintf(stderr, "pidfd_of_a_reserved_child_is_left_alone left out: no pidfd_open here\n");
    EXPECT(test::ending(pid) == 9);
    children::remove(pid);
    return;
  }
  constexpr auto by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD
  siginfo_t info;
  await_end(pid);
  EXPECT(posix::waitid(by_pidfd, static_cast<id_t>(pidfd), info, WEXITED, {pid}) == -ECHILD);
  EXPECT(posix::waitid(by_pidfd, static_cast<id_t>(pidfd), info, WEXITED, {}) == 0);
  EXPECT(info.si_pid == pid && info.si_status == 9);
  close(pidfd);
}
#endif

}  // namespace

int main() {
  child_is_reaped_once_by_its_pid();
  wait_for_any_leaves_reserved_children();
  wait_for_any_waits_for_one_that_ends_later();
  wait_for_a_group_takes_its_members_alone();
  nothing_yet_is_no_error();
  waitid_may_leave_the_child_in_place();
  bad_options_are_the_kernels_to_refuse();
  stopped_child_is_reported_and_stays_ours();
#ifdef __linux__
  children_of_another_thread_are_left_alone_unless_this_package_made_them();
  pidfd_of_a_reserved_child_is_left_alone();
#endif
  EXPECT(::wait(nullptr) == -1 && errno == ECHILD);
  EXPECT(children::list().empty());
  return test::failures != 0;
}
