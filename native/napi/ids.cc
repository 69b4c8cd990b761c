#include "../posix/ids.h"

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

Napi::Value getpid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::getpid()); }
Napi::Value getppid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::getppid()); }
Napi::Value gettid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::gettid()); }

}  // namespace truefork::napi
