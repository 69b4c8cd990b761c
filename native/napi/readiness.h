// Tells JavaScript that a descriptor can be read or written: poll(2) by the event loop. It costs no thread, and takes
// nothing from the descriptor.
#ifndef TRUEFORK_NAPI_READINESS_H_
#define TRUEFORK_NAPI_READINESS_H_

#include <uv.h>

#include "api.h"

namespace truefork::napi {

// Lives until close(), or until its environment ends. The descriptor is its owner's, and to be closed after this.
class readiness {
 public:
  // `callback` gets what of UV_READABLE and UV_WRITABLE has come; 0: an error, which the next call on the descriptor
  // tells, and nothing is watched for any more.
  readiness(Napi::Env env, const Napi::Function& callback);
  readiness(const readiness&) = delete;
  readiness& operator=(const readiness&) = delete;

  // 0 or a negative error number; then there is only free() to be called.
  int open(int fd);
  void free();

  // While there is something to watch for the event loop goes on, unless unreferenced. 0 or a negative error number.
  int watch(int events);
  void reference(bool keeps_loop);
  void close();

 private:
  ~readiness() = default;
  void tell(int events);

  uv_loop_t* loop_;
  uv_poll_t poll_{};
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace truefork::napi

#endif  // TRUEFORK_NAPI_READINESS_H_
