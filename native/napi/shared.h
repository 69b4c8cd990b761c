// Blocks of shared memory as JavaScript holds them.
#ifndef TRUEFORK_NAPI_SHARED_H_
#define TRUEFORK_NAPI_SHARED_H_

#include <cstdint>

#include "../posix/shared_lock.h"
#include "../posix/shared_memory.h"
#include "api.h"

namespace truefork::napi {

posix::shared_block& to_block(const Napi::Value& value);

template <typename Object>
Object& to_shared(const Napi::Value& value) {
  return *static_cast<Object*>(to_block(value).data());
}

// A block that JavaScript takes over, or a negative error number.
Napi::Value to_external(Napi::Env env, int failure, posix::shared_block block);

// What the attempt found, in one number: 0, 1 if the owner died, a negative error number; or 2 ** 32 and the word's
// value, while it is busy.
Napi::Value to_number(Napi::Env env, const posix::attempt& attempt);

// From a number's bits: 1 it has slept, 2 it looks whether the owner lives, 4 it won't sleep.
posix::patience to_patience(const Napi::Value& value);

}  // namespace truefork::napi

#endif  // TRUEFORK_NAPI_SHARED_H_
