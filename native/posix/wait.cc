#include "wait.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "../platform/platform.h"
#include "children.h"
#include "result.h"

namespace truefork::posix {

namespace {

bool contains(const pid_list& pids, pid_t pid) { return std::find(pids.begin(), pids.end(), pid) != pids.end(); }

// Like Python since PEP 475, a wait goes on after a signal's handler has run.
template <typename Call>
auto retried(Call call) {
  for (;;) {
    const auto value = from_errno(call());
    if (value != -EINTR) return value;
  }
}

bool is_child_of_thread(pid_t pid) {
  siginfo_t info{};
  const int options = WEXITED | WNOHANG | WNOWAIT | platform::wait_own_thread;
  return retried([&] { return ::waitid(P_PID, static_cast<id_t>(pid), &info, options); }) == 0;
}

// Children that a Worker made through node:child_process are on no list that we can read, but the kernel
// knows that another thread made them.
bool may_reap(pid_t pid, const pid_list& reserved) {
  return !contains(reserved, pid) && (children::contains(pid) || is_child_of_thread(pid));
}

// The children that a wait for any of them may take, of group `pgid` or, when it is 0, of every group.
pid_list candidates(pid_t pgid, const pid_list& reserved) {
  pid_list pids;
  if (platform::children_of_thread(pids)) {
    const pid_list made_elsewhere = children::list_for(platform::gettid());
    pids.insert(pids.end(), made_elsewhere.begin(), made_elsewhere.end());
  } else {
    pids = children::list();
  }
  const auto unwanted = [&](pid_t pid) { return contains(reserved, pid) || (pgid != 0 && getpgid(pid) != pgid); };
  pids.erase(std::remove_if(pids.begin(), pids.end(), unwanted), pids.end());
  return pids;
}

// Waits for whichever of the candidates comes first. No call waits for a set of pids, so this looks at each
// in turn, and ever less often. `look` returns a negative error number, 0 for "nothing yet", or 1.
template <typename Look>
int wait_for_candidates(pid_t pgid, bool no_hang, const pid_list& reserved, Look look) {
  timespec pause{0, 250'000};
  for (;;) {
    const pid_list pids = candidates(pgid, reserved);
    if (pids.empty()) return -ECHILD;
    for (const pid_t pid : pids) {
      const int seen = look(pid);
      if (seen != 0 && seen != -ECHILD) return seen;
    }
    if (no_hang) return 0;
    nanosleep(&pause, nullptr);
    pause.tv_nsec = std::min(pause.tv_nsec * 2, 8'000'000L);
  }
}

void forget_if_ended(const wait_outcome& outcome) {
  if (outcome.pid > 0 && (WIFEXITED(outcome.status) || WIFSIGNALED(outcome.status))) children::remove(outcome.pid);
}

wait_outcome wait4_once(pid_t pid, int options) {
  wait_outcome outcome;
  outcome.pid = retried([&] { return ::wait4(pid, &outcome.status, options, &outcome.usage); });
  if (outcome.pid <= 0) {
    outcome.status = 0;
    outcome.usage = {};
  }
  forget_if_ended(outcome);
  return outcome;
}

wait_outcome wait4_among_others(pid_t pid, int options, const pid_list& reserved) {
  wait_outcome outcome;
  const pid_t pgid = pid == -1 ? 0 : pid == 0 ? getpgrp() : -pid;
  const int seen = wait_for_candidates(pgid, (options & WNOHANG) != 0, reserved, [&](pid_t candidate) -> int {
    outcome = wait4_once(candidate, options | WNOHANG);
    return std::min(outcome.pid, 1);
  });
  if (seen <= 0) outcome = {seen, 0, {}};
  return outcome;
}

int waitid_once(idtype_t type, id_t id, siginfo_t& info, int options) {
  info = {};
  const int failure = retried([&] { return ::waitid(type, id, &info, options); });
  const bool ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
  if (failure == 0 && info.si_pid != 0 && ended && (options & WNOWAIT) == 0) children::remove(info.si_pid);
  return failure;
}

int waitid_among_others(idtype_t type, id_t id, siginfo_t& info, int options, const pid_list& reserved) {
  const pid_t pgid = type == P_ALL ? 0 : id == 0 ? getpgrp() : static_cast<pid_t>(id);
  const int seen = wait_for_candidates(pgid, (options & WNOHANG) != 0, reserved, [&](pid_t candidate) -> int {
    const int failure = waitid_once(P_PID, static_cast<id_t>(candidate), info, options | WNOHANG);
    return failure < 0 || info.si_pid == 0 ? failure : 1;
  });
  if (seen <= 0) info = {};
  return std::min(seen, 0);
}

// The kernel's own answer about a process that is nobody's child: EINVAL for bad options, else ECHILD.
int refusal(int options, bool by_waitid) {
  siginfo_t info{};
  const int failure = by_waitid ? from_errno(::waitid(P_PID, static_cast<id_t>(getpid()), &info, options))
                                : from_errno(::wait4(getpid(), nullptr, options, nullptr));
  return failure < 0 ? failure : -ECHILD;
}

// Whether the kernel may choose the child: none of its choices could be somebody else's, and it knows of all.
bool may_choose(const pid_list& reserved) {
  return reserved.empty() && platform::wait_own_thread != 0 && children::list_for(platform::gettid()).empty();
}

}  // namespace

wait_outcome wait4(pid_t pid, int options, const pid_list& reserved) {
  if (pid > 0) return may_reap(pid, reserved) ? wait4_once(pid, options) : wait_outcome{refusal(options, false), 0, {}};
  if (may_choose(reserved) || pid == INT_MIN) return wait4_once(pid, options | platform::wait_own_thread);
  const int failure = refusal(options, false);
  return failure == -ECHILD ? wait4_among_others(pid, options, reserved) : wait_outcome{failure, 0, {}};
}

pid_t reap_kept(pid_t pid, int& status) {
  const wait_outcome outcome = wait4_once(pid, WNOHANG);
  status = outcome.status;
  if (outcome.pid < 0) children::remove(pid);  // somebody else has reaped it
  return outcome.pid;
}

int waitid(idtype_t type, id_t id, siginfo_t& info, int options, const pid_list& reserved) {
  info = {};
  if (type == P_PID) {
    if (static_cast<pid_t>(id) <= 0) return waitid_once(type, id, info, options);  // EINVAL, from the kernel
    const bool ours = may_reap(static_cast<pid_t>(id), reserved);
    return ours ? waitid_once(type, id, info, options) : refusal(options, true);
  }
  if (type != P_ALL && type != P_PGID) {
    // A pidfd, where there are such: look first, and take the child only if it isn't somebody else's.
    const int failure = waitid_once(type, id, info, options | WNOWAIT);
    if (failure != 0 || info.si_pid == 0) return failure;
    if (!may_reap(info.si_pid, reserved)) {
      info = {};
      return -ECHILD;
    }
    return waitid_once(type, id, info, options);
  }
  if (may_choose(reserved)) return waitid_once(type, id, info, options | platform::wait_own_thread);
  const int failure = refusal(options, true);
  return failure == -ECHILD ? waitid_among_others(type, id, info, options, reserved) : failure;
}

}  // namespace truefork::posix
