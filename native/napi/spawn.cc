#include "../posix/spawn.h"

#include "marshal.h"
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

bool given(const Napi::Object& object, const char* key) { return !object.Get(key).IsUndefined(); }

int int_or(const Napi::Object& object, const char* key, int otherwise) {
  return given(object, key) ? to_int(object.Get(key)) : otherwise;
}

file_action to_action(const Napi::Object& object) {
  file_action action{to_kind(to_bytes(object.Get("action")))};
  action.fd = int_or(object, "fd", -1);
  action.new_fd = int_or(object, "newFd", -1);
  action.flags = int_or(object, "flags", 0);
  action.mode = static_cast<mode_t>(int_or(object, "mode", 0));
  if (given(object, "path")) action.path = to_bytes(object.Get("path"));
  return action;
}

void read_actions(const Napi::Object& options, spawn_request& request) {
  const auto actions = options.Get("fileActions").As<Napi::Array>();
  request.actions.reserve(actions.Length());
  for (uint32_t i = 0; i < actions.Length(); ++i) {
    request.actions.push_back(to_action(actions.Get(i).As<Napi::Object>()));
  }
}

// The name of the signal set that the C library refuses, or null.
const char* read_signals(const Napi::Object& options, spawn_request& request) {
  sigset_t set;
  if (given(options, "setsigmask")) {
    if (!to_signal_set(options.Get("setsigmask").As<Napi::Array>(), set)) return "sigaddset";
    request.mask = set;
  }
  if (given(options, "setsigdef")) {
    if (!to_signal_set(options.Get("setsigdef").As<Napi::Array>(), set)) return "sigaddset";
    request.defaults = set;
  }
  return nullptr;
}

void read_attributes(const Napi::Object& options, spawn_request& request) {
  if (given(options, "setpgroup")) request.pgroup = to_int(options.Get("setpgroup"));
  if (given(options, "cgroup")) request.cgroup = to_int(options.Get("cgroup"));
  if (given(options, "scheduler")) {
    const auto scheduler = options.Get("scheduler").As<Napi::Object>();
    request.scheduler = posix::scheduler{std::nullopt, to_int(scheduler.Get("priority"))};
    if (given(scheduler, "policy")) request.scheduler->policy = to_int(scheduler.Get("policy"));
  }
  const auto flag = [&options](const char* key) { return options.Get(key).ToBoolean().Value(); };
  request.setsid = flag("setsid");
  request.resetids = flag("resetids");
  request.cloexec_default = flag("cloexecDefault");
  request.start_suspended = flag("startSuspended");
  request.setexec = flag("setexec");
}

}  // namespace

// (path, argv, env | null, search, options) ->
// [pid or a negative error number, index of the refused action or -1, name of the call that refused or null]
Napi::Value posix_spawn(const Napi::CallbackInfo& info) {
  const string_list argv(info[1].As<Napi::Array>());
  const environment_list environment(info[2]);
  const auto options = info[4].As<Napi::Object>();
  spawn_request request;
  request.path = to_bytes(info[0]);
  request.argv = argv.get();
  request.envp = environment.get();
  request.search = info[3].As<Napi::Boolean>().Value();
  read_actions(options, request);
  read_attributes(options, request);
  // A Worker that is being ended reads nothing any more, from some point on: the request may have holes.
  if (!options.Has("fileActions")) return info.Env().Undefined();

  posix::spawn_outcome outcome;
  outcome.refused_attribute = read_signals(options, request);
  if (outcome.refused_attribute != nullptr) {
    outcome.failure = -EINVAL;
  } else {
    outcome = posix::spawn(request);
  }
  Napi::Array result =
      to_array(info.Env(), {outcome.failure == 0 ? outcome.pid : outcome.failure, outcome.refused_action});
  result.Set(2U, outcome.refused_attribute == nullptr ? info.Env().Null()
                                                      : Napi::String::New(info.Env(), outcome.refused_attribute));
  return result;
}

}  // namespace truefork::napi
