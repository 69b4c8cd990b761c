#include "../posix/shared_memory.h"

#include <utility>

#include "../platform/futex.h"
#include "marshal.h"
#include "shared.h"
#include "thunks.h"

namespace truefork::napi {

posix::shared_block& to_block(const Napi::Value& value) {
  return *value.As<Napi::External<posix::shared_block>>().Data();
}

Napi::Value to_external(Napi::Env env, int failure, posix::shared_block block) {
  if (failure != 0) return to_number(env, failure);
  // The collector is to know what hangs on so small an object.
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(block.size()));
  const auto drop = [](Napi::Env env, posix::shared_block* block) {
    Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(block->size()));
    const auto& header = *static_cast<posix::shared_header*>(block->data());
    const bool is_lock = header.kind == posix::shared_kind::lock || header.kind == posix::shared_kind::recursive_lock;
    if (header.magic == posix::shared_magic && is_lock) {
      posix::forget_lock(*static_cast<posix::shared_lock*>(block->data()));
    }
    delete block;
  };
  return Napi::External<posix::shared_block>::New(env, new posix::shared_block(std::move(block)), drop);
}

Napi::Value to_number(Napi::Env env, const posix::attempt& attempt) {
  constexpr int64_t busy = int64_t{1} << 32;
  switch (attempt.what) {
    case posix::attempt::outcome::done:
      return to_number(env, 0);
    case posix::attempt::outcome::owner_died:
      return to_number(env, 1);
    case posix::attempt::outcome::busy:
      return to_number(env, busy + attempt.observed);
    case posix::attempt::outcome::failed:
      break;
  }
  return to_number(env, attempt.failure);
}

posix::patience to_patience(const Napi::Value& value) {
  const int bits = to_int(value);
  return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) == 0};
}

// (bytes) -> block or a negative error number
Napi::Value share_memory(const Napi::CallbackInfo& info) {
  posix::shared_block block;
  const int failure = posix::allocate_shared(info[0].As<Napi::Number>().Int64Value(), block);
  return to_external(info.Env(), failure, std::move(block));
}

// (block) -> an ArrayBuffer; the memory lives as long as either
Napi::Value shared_buffer(const Napi::CallbackInfo& info) {
  const posix::shared_block& block = to_block(info[0]);
  auto* const segment = new std::shared_ptr<posix::shared_segment>(block.segment());
  const auto drop = [](Napi::Env /*env*/, void* /*data*/, std::shared_ptr<posix::shared_segment>* kept) {
    delete kept;
  };
  return Napi::ArrayBuffer::New(info.Env(), block.data(), block.size(), drop, segment);
}

// (block) -> [the mapping's descriptor or a negative error number, offset, bytes]
Napi::Value tell_block(const Napi::CallbackInfo& info) {
  posix::shared_block& block = to_block(info[0]);
  return to_array(info.Env(),
                  {block.descriptor(), static_cast<int64_t>(block.offset()), static_cast<int64_t>(block.size())});
}

// (descriptor, offset, bytes) -> block or a negative error number
Napi::Value attach_block(const Napi::CallbackInfo& info) {
  posix::shared_block block;
  const int failure = posix::attach_shared(to_int(info[0]), info[1].As<Napi::Number>().Int64Value(),
                                           info[2].As<Napi::Number>().Int64Value(), block);
  return to_external(info.Env(), failure, std::move(block));
}

// (block) -> its kind, or 0
Napi::Value kind_of_block(const Napi::CallbackInfo& info) {
  const auto& header = to_shared<posix::shared_header>(info[0]);
  return to_number(info.Env(), header.magic == posix::shared_magic ? static_cast<int64_t>(header.kind) : 0);
}

// (block, offset, expected value, milliseconds): blocks
Napi::Value wait_for_word(const Napi::CallbackInfo& info) {
  auto* const word = &to_shared<char>(info[0]) + to_int(info[1]);
  platform::futex_wait(reinterpret_cast<uint32_t*>(word), info[2].As<Napi::Number>().Uint32Value(),
                       static_cast<uint32_t>(to_int(info[3])));
  return info.Env().Undefined();
}

}  // namespace truefork::napi
