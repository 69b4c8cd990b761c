#include "../posix/signals.h"

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

Napi::Value kill(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::kill(to_int(info[0]), to_int(info[1])));
}

Napi::Value killpg(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::killpg(to_int(info[0]), to_int(info[1])));
}

}  // namespace truefork::napi
