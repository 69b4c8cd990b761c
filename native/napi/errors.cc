#include <system_error>

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

// (error number) -> the C library's words for it, for numbers that libuv has none for, such as ECHILD
Napi::Value strerror(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), std::generic_category().message(to_int(info[0])));
}

}  // namespace truefork::napi
