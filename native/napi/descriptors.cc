#include "../posix/descriptors.h"

#include "../fork/fork.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

// () -> [0 or a negative error number, read end, write end]
Napi::Value pipe(const Napi::CallbackInfo& info) {
  int ends[2] = {-1, -1};
  const int failure = posix::pipe(ends);
  if (failure == 0) fork::share_pipe(ends[0]);
  return to_array(info.Env(), {failure, ends[0], ends[1]});
}

// (flags) -> [0 or a negative error number, read end, write end]
Napi::Value pipe2(const Napi::CallbackInfo& info) {
  int ends[2] = {-1, -1};
  const int failure = posix::pipe2(ends, to_int(info[0]));
  if (failure == 0) fork::share_pipe(ends[0]);
  return to_array(info.Env(), {failure, ends[0], ends[1]});
}

// (fd): for one that has come from another process
Napi::Value share_pipe(const Napi::CallbackInfo& info) {
  fork::share_pipe(to_int(info[0]));
  return info.Env().Undefined();
}

Napi::Value dup(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::dup(to_int(info[0]))); }

Napi::Value dup2(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::dup2(to_int(info[0]), to_int(info[1])));
}

Napi::Value dup3(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::dup3(to_int(info[0]), to_int(info[1]), to_int(info[2])));
}

Napi::Value fcntl(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::fcntl(to_int(info[0]), to_int(info[1]), to_int(info[2])));
}

Napi::Value closefrom(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::closefrom(to_int(info[0])));
}

Napi::Value close_range(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::close_range(to_int(info[0]), to_int(info[1]), to_int(info[2])));
}

Napi::Value umask(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::umask(to_int(info[0]))); }

}  // namespace truefork::napi
