#include "../posix/shared_lock.h"

#include <utility>

#include "marshal.h"
#include "shared.h"
#include "thunks.h"

namespace truefork::napi {

// (whether it is recursive) -> block or a negative error number
Napi::Value make_lock(const Napi::CallbackInfo& info) {
  posix::shared_block block;
  const int failure = posix::make_lock(info[0].As<Napi::Boolean>().Value(), block);
  return to_external(info.Env(), failure, std::move(block));
}

// (block, patience) -> attempt
Napi::Value take_lock(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::take_lock(to_shared<posix::shared_lock>(info[0]), to_patience(info[1])));
}

// (block) -> 0 or a negative error number
Napi::Value release_lock(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::release_lock(to_shared<posix::shared_lock>(info[0])));
}

// (block) -> how deep it was, or a negative error number
Napi::Value release_lock_wholly(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::release_lock_wholly(to_shared<posix::shared_lock>(info[0])));
}

// (block, depth)
Napi::Value restore_depth(const Napi::CallbackInfo& info) {
  posix::restore_depth(to_shared<posix::shared_lock>(info[0]), static_cast<uint32_t>(to_int(info[1])));
  return info.Env().Undefined();
}

// (block): somebody waited for it and went
Napi::Value pass_lock_on(const Napi::CallbackInfo& info) {
  to_shared<posix::shared_lock>(info[0]).word.pass_on();
  return info.Env().Undefined();
}

// (block) -> [whether this thread holds it, whether anybody does, its owner's pid, how many died with it, the pid of
// the last of them, the number of the owner's thread]
Napi::Value tell_lock(const Napi::CallbackInfo& info) {
  const auto& lock = to_shared<posix::shared_lock>(info[0]);
  return to_array(info.Env(),
                  {posix::is_own(lock) ? 1 : 0, lock.word.is_held() ? 1 : 0, lock.owner_pid.load(), lock.deaths.load(),
                   lock.dead_pid.load(), static_cast<int64_t>(lock.word.owner() & platform::thread_number_mask)});
}

// (block) -> whether this thread would wait for ever
Napi::Value would_hang(const Napi::CallbackInfo& info) {
  const posix::shared_block& block = to_block(info[0]);
  return Napi::Boolean::New(info.Env(), posix::would_hang(to_shared<posix::shared_lock>(info[0]), block));
}

// (value, maximum or 0) -> block or a negative error number
Napi::Value make_semaphore(const Napi::CallbackInfo& info) {
  posix::shared_block block;
  const int failure =
      posix::make_semaphore(static_cast<uint32_t>(to_int(info[0])), static_cast<uint32_t>(to_int(info[1])), block);
  return to_external(info.Env(), failure, std::move(block));
}

// (block, patience) -> attempt
Napi::Value take_semaphore(const Napi::CallbackInfo& info) {
  auto& semaphore = to_shared<posix::shared_semaphore>(info[0]);
  return to_number(info.Env(), posix::take_semaphore(semaphore, to_patience(info[1])));
}

// (block, count) -> 0 or a negative error number
Napi::Value release_semaphore(const Napi::CallbackInfo& info) {
  auto& semaphore = to_shared<posix::shared_semaphore>(info[0]);
  return to_number(info.Env(), posix::release_semaphore(semaphore, static_cast<uint32_t>(to_int(info[1]))));
}

Napi::Value semaphore_value(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::semaphore_value(to_shared<posix::shared_semaphore>(info[0])));
}

Napi::Value pass_semaphore_on(const Napi::CallbackInfo& info) {
  posix::pass_on_semaphore(to_shared<posix::shared_semaphore>(info[0]));
  return info.Env().Undefined();
}

}  // namespace truefork::napi
