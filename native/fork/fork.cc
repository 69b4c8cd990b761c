// The fork whose child is whole, as one page: from blocking the signals to putting them back, and quiet code.
#include "fork.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "engine.h"
#include "quiet.h"
#include "record.h"

namespace truefork::fork {

namespace {

using quiet::call;
using quiet::system_call;

constexpr int64_t stop_limit = 2'000'000'000;    // nanoseconds for all threads to stop, on a busy machine too
constexpr int64_t child_limit = 30'000'000'000;  // nanoseconds for the child to be whole
constexpr int exit_os_error = 71;                // sysexits(3)

void block_signals(engine& prepared) noexcept {
  const uint64_t all = ~uint64_t{0};
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&prepared.mask, sizeof all);
}

void restore_signals(const engine& prepared) noexcept {
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&prepared.mask, 0, sizeof prepared.mask);
}

// Twins and looks at /proc need descriptors, though the program may have used up its own.
void raise_descriptor_limit(engine& prepared) noexcept {
  system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&prepared.descriptor_limit);
  const rlimit64 raised{prepared.descriptor_limit.rlim_max, prepared.descriptor_limit.rlim_max};
  system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&raised, 0);
}

void restore_descriptor_limit(const engine& prepared) noexcept {
  system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&prepared.descriptor_limit, 0);
}

void tell(verdict& child, verdict::answer answer, int failure, const char* step) noexcept {
  child.failure = failure;
  child.step = step;
  quiet::store(child.state, answer);
  quiet::futex_wake_all(&child.state, true);
}

[[noreturn]] void give_up(engine& prepared, int failure, const char* step) noexcept {
  tell(*prepared.child, verdict::failed, failure, step);
  for (;;) system_call(SYS_exit_group, exit_os_error);
}

// The child's forking thread: what clone(2) took away from it, then everything else.
void become_whole(engine& prepared) noexcept {
  system_call(SYS_set_robust_list, (long)prepared.robust_list, static_cast<long>(prepared.robust_list_size));
  const int failure = revive_threads(prepared.threads);
  if (failure != 0) give_up(prepared, failure, "clone");
  const descriptor_outcome outcome = use_twins(prepared.descriptors);
  if (outcome.failure != 0) give_up(prepared, outcome.failure, outcome.step);
  // All that can fail for want of something has been done: the parent needn't wait for the rest.
  tell(*prepared.child, verdict::whole, 0, nullptr);
  system_call(SYS_sched_yield);  // the parent may wait for this very processor
  begin_record(prepared.threads.process, kept_threads::all);
  note_threads(prepared.threads);
  const int unread = rewrite_owners(prepared.threads, *prepared.heap, prepared.owners);
  end_record();
  if (unread == 0) return;
  constexpr char message[] = "truefork: the child's locks can't be given to its threads: /proc/self can't be read\n";
  system_call(SYS_write, 2, (long)message, sizeof message - 1);
  for (;;) system_call(SYS_exit_group, exit_os_error);
}

bool has_ended(pid_t pid) noexcept {
  siginfo_t info{};
  system_call(SYS_waitid, P_PID, pid, (long)&info, WEXITED | WNOHANG | WNOWAIT, 0);
  return info.si_pid == pid;
}

// The parent's forking thread: nobody hears of a child that isn't whole.
fork_outcome await_verdict(const engine& prepared, pid_t pid) noexcept {
  verdict& child = *prepared.child;
  const int64_t deadline = quiet::now_nanoseconds() + child_limit;
  fork_outcome lost{-ECHILD, "clone", 0};
  for (;;) {
    const uint32_t state = quiet::load(child.state);
    if (state == verdict::whole) return {pid, nullptr, 0};
    if (state == verdict::failed) lost = {child.failure, child.step, 0};
    if (state == verdict::failed || has_ended(pid)) break;
    if (quiet::now_nanoseconds() > deadline) {
      system_call(SYS_kill, pid, SIGKILL);
      lost.pid = -ETIMEDOUT;
      break;
    }
    const timespec patience{0, 5'000'000};
    quiet::futex_wait(&child.state, verdict::pending, &patience, true);
  }
  call(SYS_wait4, pid, nullptr, 0, nullptr);
  return lost;
}

// One try to have all threads stopped, and twins of the descriptors made. -EAGAIN where a thread has something in
// hand that can't be copied: a tid on its way into a lock, or requests in a ring. After a failure all go on.
fork_outcome try_to_stop(engine& prepared) noexcept {
  const int uncopied = prepared.heap->begin();
  if (uncopied != 0) return {uncopied, "madvise", 0};
  fork_outcome outcome{};
  const stop_outcome stopped = stop_threads(prepared.threads, stop_limit);
  if (stopped.failure != 0) {
    prepared.heap->end();
    return {stopped.failure, "rt_tgsigqueueinfo", stopped.tid};
  }
  if (const thread_slot* const busy = find_thread_in_lock(prepared.threads, prepared.owners)) {
    outcome = {-EAGAIN, "rt_tgsigqueueinfo", busy->tid};
  } else {
    const descriptor_outcome twins = make_twins(prepared.descriptors);
    outcome = {twins.failure, twins.step, 0};
  }
  if (outcome.pid == 0) return outcome;
  release_threads(prepared.threads);
  // A thread that maps or unmaps memory waits for this, with its locks held.
  prepared.heap->end();
  return outcome;
}

fork_outcome stop_everything(engine& prepared) noexcept {
  const int64_t deadline = quiet::now_nanoseconds() + stop_limit;
  constexpr long longest = 10'000'000;
  int tries_left = 50;  // however long each takes on a machine with too much to do
  // Ever longer, as on a busy machine a thread has to come to its processor before it gets any further.
  for (timespec moment{0, 20'000};; moment.tv_nsec = moment.tv_nsec < longest / 2 ? moment.tv_nsec * 2 : longest) {
    fork_outcome outcome = try_to_stop(prepared);
    if (outcome.pid != -EAGAIN) return outcome;
    if (--tries_left <= 0 && quiet::now_nanoseconds() > deadline) {
      outcome.pid = -EBUSY;
      return outcome;
    }
    system_call(SYS_nanosleep, (long)&moment, 0);
  }
}

// Everything from the first stopped thread to the last that goes on.
fork_outcome copy_process(engine& prepared) noexcept {
  const fork_outcome stopped = stop_everything(prepared);
  if (stopped.pid != 0) return stopped;
  system_call(SYS_prctl, PR_GET_TID_ADDRESS, (long)&prepared.tid_address);
  system_call(SYS_get_robust_list, 0, (long)&prepared.robust_list, (long)&prepared.robust_list_size);

  // Not libc's fork(): its handlers would take the other threads' stacks, and reset what they go on using.
  const long pid =
      system_call(SYS_clone, SIGCHLD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, 0, 0, (long)prepared.tid_address);
  if (pid == 0) become_whole(prepared);
  prepared.heap->end();
  release_threads(prepared.threads);
  if (pid == 0) return {};

  close_twins(prepared.descriptors);
  if (pid < 0) return {static_cast<pid_t>(pid), "clone", 0};
  return await_verdict(prepared, static_cast<pid_t>(pid));
}

}  // namespace

fork_outcome fork_prepared(engine& prepared) noexcept {
  block_signals(prepared);
  raise_descriptor_limit(prepared);
  const fork_outcome outcome = copy_process(prepared);
  restore_descriptor_limit(prepared);
  restore_signals(prepared);
  return outcome;
}

}  // namespace truefork::fork
