#include "../posix/ids.h"

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

Napi::Value getpid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::getpid()); }
Napi::Value getppid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::getppid()); }
Napi::Value gettid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::gettid()); }

Napi::Value getpgid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::getpgid(to_int(info[0]))); }

Napi::Value setpgid(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::setpgid(to_int(info[0]), to_int(info[1])));
}

Napi::Value getpgrp(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::getpgrp()); }
Napi::Value setsid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::setsid()); }
Napi::Value getsid(const Napi::CallbackInfo& info) { return to_number(info.Env(), posix::getsid(to_int(info[0]))); }

Napi::Value tcgetpgrp(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::tcgetpgrp(to_int(info[0])));
}

Napi::Value tcsetpgrp(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::tcsetpgrp(to_int(info[0]), to_int(info[1])));
}

}  // namespace truefork::napi
