#include "../posix/exec.h"

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

// (file, argv, env | null, search) -> a negative error number, or no return at all
Napi::Value exec(const Napi::CallbackInfo& info) {
  const std::string file = to_bytes(info[0]);
  const string_list argv(info[1].As<Napi::Array>());
  const environment_list environment(info[2]);
  const auto call = info[3].As<Napi::Boolean>().Value() ? posix::execvpe : posix::execve;
  return to_number(info.Env(), call(file.c_str(), argv.get(), environment.get()));
}

// (fd, argv, env | null) -> a negative error number, or no return at all
Napi::Value fexecve(const Napi::CallbackInfo& info) {
  const string_list argv(info[1].As<Napi::Array>());
  const environment_list environment(info[2]);
  return to_number(info.Env(), posix::fexecve(to_int(info[0]), argv.get(), environment.get()));
}

}  // namespace truefork::napi
