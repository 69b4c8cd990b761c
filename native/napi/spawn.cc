#include "spawn.h"

#include <cerrno>

#include "../posix/runtime_state.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

using posix::file_action;
using posix::spawn_request;

enum file_action::kind to_kind(const std::string& name) {
  using kind = enum file_action::kind;
  constexpr struct {
    const char* name;
    kind value;
  } kinds[] = {
      {"open", kind::open},           {"close", kind::close},     {"dup2", kind::dup2},
      {"chdir", kind::chdir},         {"fchdir", kind::fchdir},   {"closefrom", kind::closefrom},
      {"tcsetpgrp", kind::tcsetpgrp}, {"inherit", kind::inherit},
  };
  for (const auto& row : kinds) {
    if (name == row.name) return row.value;
  }
  return kind::inherit;  // lib/spawn.ts lets no other name through
}

bool given(const Napi::Object& object, const char* key) { return !property(object, key).IsUndefined(); }

int int_or(const Napi::Object& object, const char* key, int otherwise) {
  return given(object, key) ? to_int(property(object, key)) : otherwise;
}

file_action to_action(const Napi::Object& object) {
  file_action action{to_kind(to_bytes(property(object, "action")))};
  action.fd = int_or(object, "fd", -1);
  action.new_fd = int_or(object, "newFd", -1);
  action.flags = int_or(object, "flags", 0);
  action.mode = static_cast<mode_t>(int_or(object, "mode", 0));
  if (given(object, "path")) action.path = to_bytes(property(object, "path"));
  return action;
}

void read_actions(const Napi::Object& options, spawn_request& request) {
  const auto actions = property(options, "fileActions").As<Napi::Array>();
  request.actions.reserve(length_of(actions));
  for (uint32_t i = 0; i < length_of(actions); ++i) {
    request.actions.push_back(to_action(actions.Get(i).As<Napi::Object>()));
  }
}

// The name of the signal set that the C library refuses, or null.
const char* read_signals(const Napi::Object& options, spawn_request& request) {
  sigset_t set;
  if (given(options, "setsigmask")) {
    if (!to_signal_set(property(options, "setsigmask").As<Napi::Array>(), set)) return "sigaddset";
    request.mask = set;
  }
  if (given(options, "setsigdef")) {
    if (!to_signal_set(property(options, "setsigdef").As<Napi::Array>(), set)) return "sigaddset";
    request.defaults = set;
  }
  return nullptr;
}

void read_attributes(const Napi::Object& options, spawn_request& request) {
  if (given(options, "setpgroup")) request.pgroup = to_int(property(options, "setpgroup"));
  if (given(options, "cgroup")) request.cgroup = to_int(property(options, "cgroup"));
  if (given(options, "scheduler")) {
    const auto scheduler = property(options, "scheduler").As<Napi::Object>();
    request.scheduler = posix::scheduler{std::nullopt, to_int(property(scheduler, "priority"))};
    if (given(scheduler, "policy")) request.scheduler->policy = to_int(property(scheduler, "policy"));
  }
  const auto flag = [&options](const char* key) {
    const Napi::Value value = property(options, key);
    return value.IsBoolean() && value.As<Napi::Boolean>().Value();
  };
  request.setsid = flag("setsid");
  request.resetids = flag("resetids");
  request.cloexec_default = flag("cloexecDefault");
  request.start_suspended = flag("startSuspended");
  request.setexec = flag("setexec");
}

}  // namespace

spawn_arguments::spawn_arguments(const Napi::CallbackInfo& info)
    : argv_(info[1].As<Napi::Array>()), environment_(info[2]) {
  const auto options = info[4].As<Napi::Object>();
  request_.path = to_bytes(info[0]);
  request_.search = info[3].As<Napi::Boolean>().Value();
  read_actions(options, request_);
  read_attributes(options, request_);
  refused_ = read_signals(options, request_);
  is_whole_ = options.Has("fileActions");
}

posix::spawn_outcome spawn_arguments::spawn() {
  posix::spawn_outcome outcome;
  outcome.refused_attribute = refused_;
  outcome.failure = -EINVAL;
  if (refused_ != nullptr) return outcome;
  request_.argv = argv_.get();
  request_.envp = environment_.get();
  return posix::spawn(request_);
}

void spawn_arguments::keep_for(int64_t tid) {
  environment_.keep();
  // The mask of the thread that calls, and not of the one that does it.
  if (!request_.mask) request_.mask = program_mask();
  request_.made_for = tid;
}

Napi::Array to_result(Napi::Env env, const posix::spawn_outcome& outcome) {
  Napi::Array result = to_array(env, {outcome.failure == 0 ? outcome.pid : outcome.failure, outcome.refused_action});
  result.Set(2U, outcome.refused_attribute == nullptr ? env.Null() : Napi::String::New(env, outcome.refused_attribute));
  return result;
}

// (path, argv, env | null, search, options) ->
// [pid or a negative error number, index of the refused action or -1, name of the call that refused or null]
Napi::Value posix_spawn(const Napi::CallbackInfo& info) {
  spawn_arguments arguments(info);
  return arguments.is_whole() ? to_result(info.Env(), arguments.spawn()) : info.Env().Undefined();
}

}  // namespace truefork::napi
