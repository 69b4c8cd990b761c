#include "../posix/message_log.h"

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// [file, and the two ends of each pipe: has_messages, has_room, is_done]
posix::message_log to_log(const Napi::Value& value) {
  const auto fds = value.As<Napi::Array>();
  const auto fd = [&](uint32_t index) { return to_int(fds.Get(index)); };
  return {fd(0), {fd(1), fd(2)}, {fd(3), fd(4)}, {fd(5), fd(6)}};
}

}  // namespace

// (log, limit) -> 0 or a negative error number
Napi::Value begin_log(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::begin_log(to_log(info[0]), static_cast<uint64_t>(to_int(info[1]))));
}

// (log, bytes) -> 0 or a negative error number
Napi::Value put_message(const Napi::CallbackInfo& info) {
  const auto bytes = info[1].As<Napi::Uint8Array>();
  return to_number(info.Env(), posix::put_message(to_log(info[0]), bytes.Data(), bytes.ByteLength()));
}

// (log) -> a Buffer, or a negative error number
Napi::Value take_message(const Napi::CallbackInfo& info) {
  std::vector<char> message;
  const int failure = posix::take_message(to_log(info[0]), message);
  if (failure != 0) return to_number(info.Env(), failure);
  return Napi::Buffer<char>::Copy(info.Env(), message.data(), message.size());
}

// (log) -> 0 or a negative error number
Napi::Value finish_message(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::finish_message(to_log(info[0])));
}

// (log) -> how many, or a negative error number
Napi::Value count_messages(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::count_messages(to_log(info[0])));
}

// (log) -> how many, or a negative error number
Napi::Value count_unfinished(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::count_unfinished(to_log(info[0])));
}

}  // namespace truefork::napi
