// The macros of wait(2), which only a C compiler can read off a platform's <sys/wait.h>.
#include <sys/wait.h>

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

Napi::Value wifexited(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return Napi::Boolean::New(info.Env(), WIFEXITED(status));
}

Napi::Value wexitstatus(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return to_number(info.Env(), WEXITSTATUS(status));
}

Napi::Value wifsignaled(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return Napi::Boolean::New(info.Env(), WIFSIGNALED(status));
}

Napi::Value wtermsig(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return to_number(info.Env(), WTERMSIG(status));
}

Napi::Value wcoredump(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return Napi::Boolean::New(info.Env(), WCOREDUMP(status) != 0);
}

Napi::Value wifstopped(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return Napi::Boolean::New(info.Env(), WIFSTOPPED(status));
}

Napi::Value wstopsig(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return to_number(info.Env(), WSTOPSIG(status));
}

Napi::Value wifcontinued(const Napi::CallbackInfo& info) {
  const int status = to_int(info[0]);
  return Napi::Boolean::New(info.Env(), WIFCONTINUED(status));
}

}  // namespace truefork::napi
