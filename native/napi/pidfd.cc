#include "../platform/exits.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

Napi::Value pidfd_open(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), platform::pidfd_open(to_int(info[0]), static_cast<unsigned>(to_int(info[1]))));
}

Napi::Value pidfd_send_signal(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), platform::pidfd_send_signal(to_int(info[0]), to_int(info[1])));
}

Napi::Value pid_of_pidfd(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), platform::pid_of_pidfd(to_int(info[0])));
}

Napi::Value pidfd_has_ended(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), platform::pidfd_has_ended(to_int(info[0])));
}

}  // namespace truefork::napi
