#include "../posix/limits.h"

#include <cmath>

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// A BigInt, or a number for no limit.
rlim_t to_limit(const Napi::Value& value) {
  bool lossless = false;
  return value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : RLIM_INFINITY;
}

Napi::Value from_limit(Napi::Env env, rlim_t limit) {
  if (limit == RLIM_INFINITY) return Napi::Number::New(env, HUGE_VAL);
  return Napi::BigInt::New(env, static_cast<uint64_t>(limit));
}

// [0 or a negative error number, soft, hard]
Napi::Value to_result(Napi::Env env, int failure, const rlimit& limits) {
  Napi::Array result = to_array(env, {failure});
  result.Set(1U, from_limit(env, limits.rlim_cur));
  result.Set(2U, from_limit(env, limits.rlim_max));
  return result;
}

}  // namespace

// (resource) -> see to_result
Napi::Value getrlimit(const Napi::CallbackInfo& info) {
  rlimit limits{};
  const int failure = posix::getrlimit(to_int(info[0]), limits);
  return to_result(info.Env(), failure, limits);
}

// (resource, soft, hard) -> 0 or a negative error number
Napi::Value setrlimit(const Napi::CallbackInfo& info) {
  const rlimit limits{to_limit(info[1]), to_limit(info[2])};
  return to_number(info.Env(), posix::setrlimit(to_int(info[0]), limits));
}

// (pid, resource[, soft, hard]) -> see to_result; the limits as they were before
Napi::Value prlimit(const Napi::CallbackInfo& info) {
  rlimit previous{};
  const rlimit wanted{to_limit(info[2]), to_limit(info[3])};
  const bool only_asks = info[2].IsUndefined();
  const int failure = posix::prlimit(to_int(info[0]), to_int(info[1]), only_asks ? nullptr : &wanted, previous);
  return to_result(info.Env(), failure, previous);
}

}  // namespace truefork::napi
