#include "spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include "../platform/platform.h"
#include "children.h"
#include "result.h"
#include "runtime_state.h"

namespace truefork::posix {

namespace {

// posix_spawn_file_actions_t and posix_spawnattr_t with an owner: both hold memory.
class file_actions {
 public:
  file_actions() noexcept { posix_spawn_file_actions_init(&value_); }
  ~file_actions() { posix_spawn_file_actions_destroy(&value_); }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;
  posix_spawn_file_actions_t* get() noexcept { return &value_; }

 private:
  posix_spawn_file_actions_t value_;
};

class spawn_attributes {
 public:
  spawn_attributes() noexcept { posix_spawnattr_init(&value_); }
  ~spawn_attributes() { posix_spawnattr_destroy(&value_); }
  spawn_attributes(const spawn_attributes&) = delete;
  spawn_attributes& operator=(const spawn_attributes&) = delete;
  posix_spawnattr_t* get() noexcept { return &value_; }

 private:
  posix_spawnattr_t value_;
};

int add_action(posix_spawn_file_actions_t* actions, const file_action& action) noexcept {
  using kind = enum file_action::kind;
  switch (action.kind) {
    case kind::open:
      return from_code(
          posix_spawn_file_actions_addopen(actions, action.fd, action.path.c_str(), action.flags, action.mode));
    case kind::close:
      return from_code(posix_spawn_file_actions_addclose(actions, action.fd));
    case kind::dup2:
      return from_code(posix_spawn_file_actions_adddup2(actions, action.fd, action.new_fd));
    case kind::chdir:
      return platform::add_chdir(actions, action.path.c_str());
    case kind::fchdir:
      return platform::add_fchdir(actions, action.fd);
    case kind::closefrom:
      return platform::add_closefrom(actions, action.fd);
    case kind::tcsetpgrp:
      return platform::add_tcsetpgrp(actions, action.fd);
    case kind::inherit:
      return platform::add_inherit_np(actions, action.fd);
  }
  return -EINVAL;
}

// The caller's actions, after those that let the child have 0-2: Node marks them FD_CLOEXEC.
void fill_actions(const spawn_request& request, posix_spawn_file_actions_t* actions, spawn_outcome& outcome) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && outcome.failure == 0; ++fd) {
    if (fcntl(fd, F_GETFD) != -1) outcome.failure = platform::add_inherit(actions, fd);
  }
  for (size_t i = 0; i < request.actions.size() && outcome.failure == 0; ++i) {
    outcome.failure = add_action(actions, request.actions[i]);
    if (outcome.failure != 0) outcome.refused_action = static_cast<int>(i);
  }
}

void fill_signals(const spawn_request& request, posix_spawnattr_t* attributes, short* flags) noexcept {
  sigset_t every_signal;
  sigfillset(&every_signal);
  const sigset_t mask = request.mask.value_or(program_mask());
  // exec resets handlers by itself; naming every signal resets the ignored ones too.
  const sigset_t defaults = request.defaults.value_or(every_signal);
  posix_spawnattr_setsigmask(attributes, &mask);
  posix_spawnattr_setsigdefault(attributes, &defaults);
  *flags |= POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
}

void fill_attributes(const spawn_request& request, posix_spawnattr_t* attributes, spawn_outcome& outcome) noexcept {
  short flags = 0;
  const auto set = [&outcome](const char* name, int failure) noexcept {
    if (failure == 0 || outcome.failure != 0) return;
    outcome.failure = failure;
    outcome.refused_attribute = name;
  };
  fill_signals(request, attributes, &flags);
  if (request.pgroup) {
    flags |= POSIX_SPAWN_SETPGROUP;
    set("posix_spawnattr_setpgroup", from_code(posix_spawnattr_setpgroup(attributes, *request.pgroup)));
  }
  if (request.resetids) flags |= POSIX_SPAWN_RESETIDS;
  if (request.scheduler) {
    const auto& scheduler = *request.scheduler;
    set("posix_spawnattr_setschedpolicy",
        platform::set_scheduler(attributes, scheduler.policy.has_value(), scheduler.policy.value_or(0),
                                scheduler.priority, &flags));
  }
  if (request.setsid) set("posix_spawnattr_setflags", platform::set_setsid(&flags));
  if (request.cgroup) {
    set("posix_spawnattr_setcgroup_np", platform::set_cgroup(attributes, *request.cgroup, &flags));
  }
  if (request.cloexec_default) set("posix_spawnattr_setflags", platform::set_cloexec_default(&flags));
  if (request.start_suspended) set("posix_spawnattr_setflags", platform::set_start_suspended(&flags));
  if (request.setexec) set("posix_spawnattr_setflags", platform::set_setexec(&flags));
  set("posix_spawnattr_setflags", from_code(posix_spawnattr_setflags(attributes, flags)));
}

}  // namespace

spawn_outcome spawn(const spawn_request& request) {
  spawn_outcome outcome;
  file_actions actions;
  spawn_attributes attributes;
  fill_actions(request, actions.get(), outcome);
  if (outcome.failure == 0) fill_attributes(request, attributes.get(), outcome);
  if (outcome.failure != 0) return outcome;
  const auto call = request.search ? posix_spawnp : posix_spawn;
  outcome.failure =
      from_code(call(&outcome.pid, request.path.c_str(), actions.get(), attributes.get(), request.argv, request.envp));
  if (outcome.failure == 0) children::add_for(request.made_for, outcome.pid);
  return outcome;
}

}  // namespace truefork::posix
