#include "../posix/prctl.h"

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

Napi::Value set_pdeathsig(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::set_parent_death_signal(to_int(info[0])));
}

Napi::Value set_child_subreaper(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::set_child_subreaper(info[0].As<Napi::Boolean>().Value()));
}

// (the parent's pid) -> 0 or a negative error number
Napi::Value end_with(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::end_with_parent(to_int(info[0])));
}

}  // namespace truefork::napi
