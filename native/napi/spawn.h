// The arguments of posix_spawn, from JavaScript and back.
#ifndef TRUEFORK_NAPI_SPAWN_H_
#define TRUEFORK_NAPI_SPAWN_H_

#include "../posix/spawn.h"
#include "marshal.h"

namespace truefork::napi {

// (path, argv, env | null, search, options), as memory of our own.
class spawn_arguments {
 public:
  explicit spawn_arguments(const Napi::CallbackInfo& info);
  spawn_arguments(const spawn_arguments&) = delete;
  spawn_arguments& operator=(const spawn_arguments&) = delete;

  // A Worker that is being ended reads nothing any more, from some point on: the request may have holes.
  bool is_whole() const noexcept { return is_whole_; }

  // For another thread to spawn, while `tid` will wait for the child.
  void keep_for(int64_t tid);

  posix::spawn_outcome spawn();

 private:
  string_list argv_;
  environment_list environment_;
  posix::spawn_request request_;
  const char* refused_ = nullptr;  // the name of the call that refused a signal set
  bool is_whole_ = false;
};

// [pid or a negative error number, index of the refused action or -1, name of the call that refused or null]
Napi::Array to_result(Napi::Env env, const posix::spawn_outcome& outcome);

}  // namespace truefork::napi

#endif  // TRUEFORK_NAPI_SPAWN_H_
