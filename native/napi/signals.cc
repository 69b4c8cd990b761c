#include "../posix/signals.h"

#include "../fork/fork.h"
#include "../posix/ids.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// [0 or a negative error number, signal...]
Napi::Array to_result(Napi::Env env, int failure, const sigset_t& signals) {
  Napi::Array result = to_array(env, {failure});
  uint32_t count = 1;
  for (int signal = 1; failure == 0 && signal < NSIG; ++signal) {
    if (sigismember(&signals, signal) == 1) result.Set(count++, to_number(env, signal));
  }
  return result;
}

}  // namespace

Napi::Value kill(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::kill(to_int(info[0]), to_int(info[1])));
}

Napi::Value killpg(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::killpg(to_int(info[0]), to_int(info[1])));
}

// (how, signals) -> see to_result; the mask as it was before
Napi::Value sigprocmask(const Napi::CallbackInfo& info) {
  const int how = to_int(info[0]);
  sigset_t signals;
  // The C library's own signals are left out, as it would do itself; nptl(7).
  to_signal_set(info[1].As<Napi::Array>(), signals, true);
  // JavaScript knows one thread of the process, and has a signal held back from all: what the main thread blocks must
  // not end up in one of V8's.
  const bool blocks = how == SIG_BLOCK || how == SIG_SETMASK;
  int failure = blocks && posix::gettid() == posix::getpid() ? fork::block_in_other_threads(signals) : 0;
  sigset_t previous;
  if (failure == 0) failure = posix::sigprocmask(how, signals, previous);
  return to_result(info.Env(), failure, previous);
}

// () -> see to_result
Napi::Value sigpending(const Napi::CallbackInfo& info) {
  sigset_t signals;
  const int failure = posix::sigpending(signals);
  return to_result(info.Env(), failure, signals);
}

}  // namespace truefork::napi
