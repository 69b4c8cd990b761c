#include <utility>

#include "../posix/shared_barrier.h"
#include "../posix/shared_condition.h"
#include "marshal.h"
#include "shared.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

posix::shared_barrier& to_barrier(const Napi::Value& value) { return to_shared<posix::shared_barrier>(value); }

uint32_t to_unsigned(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }

}  // namespace

// () -> block or a negative error number
Napi::Value make_condition(const Napi::CallbackInfo& info) {
  posix::shared_block block;
  const int failure = posix::make_condition(block);
  return to_external(info.Env(), failure, std::move(block));
}

// (block) -> a waiter's place, or a negative error number
Napi::Value begin_wait(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::begin_wait(to_shared<posix::shared_condition>(info[0])));
}

// (block, place) -> -1: it has been told; or its place
Napi::Value look_at_wait(const Napi::CallbackInfo& info) {
  int place = to_int(info[1]);
  const bool is_told = posix::is_told(to_shared<posix::shared_condition>(info[0]), place);
  return to_number(info.Env(), is_told ? -1 : place);
}

// (block, place) -> whether it was told
Napi::Value end_wait(const Napi::CallbackInfo& info) {
  const bool was_told = posix::end_wait(to_shared<posix::shared_condition>(info[0]), to_int(info[1]));
  return Napi::Boolean::New(info.Env(), was_told);
}

// (block, count) -> how many there were
Napi::Value notify(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::notify(to_shared<posix::shared_condition>(info[0]), to_unsigned(info[1])));
}

// () -> block or a negative error number
Napi::Value make_event(const Napi::CallbackInfo& info) {
  posix::shared_block block;
  const int failure = posix::make_event(block);
  return to_external(info.Env(), failure, std::move(block));
}

// (block, whether it is to be set)
Napi::Value set_event(const Napi::CallbackInfo& info) {
  auto& event = to_shared<posix::shared_event>(info[0]);
  if (info[1].As<Napi::Boolean>().Value()) {
    posix::set_event(event);
  } else {
    posix::clear_event(event);
  }
  return info.Env().Undefined();
}

// (block) -> its word
Napi::Value event_word(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), to_shared<posix::shared_event>(info[0]).word.load());
}

// (block, word as the wait began) -> attempt
Napi::Value look_at_event(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::look_at_event(to_shared<posix::shared_event>(info[0]), to_unsigned(info[1])));
}

// (parties) -> block or a negative error number
Napi::Value make_barrier(const Napi::CallbackInfo& info) {
  posix::shared_block block;
  const int failure = posix::make_barrier(to_unsigned(info[0]), block);
  return to_external(info.Env(), failure, std::move(block));
}

// (block) -> [arrival::outcome, place, index, generation]
Napi::Value arrive(const Napi::CallbackInfo& info) {
  const auto [what, place, index, generation] = posix::arrive(to_barrier(info[0]));
  return to_array(info.Env(), {static_cast<int64_t>(what), place, index, generation});
}

// (block, place, generation, whether it looks for the dead) -> waiting_place::state
Napi::Value look_at_barrier(const Napi::CallbackInfo& info) {
  const bool looks = info[3].As<Napi::Boolean>().Value();
  return to_number(info.Env(),
                   posix::look_at_barrier(to_barrier(info[0]), to_int(info[1]), to_unsigned(info[2]), looks));
}

// (block, place, generation) -> waiting_place::state
Napi::Value leave_barrier(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), posix::leave_barrier(to_barrier(info[0]), to_int(info[1]), to_unsigned(info[2])));
}

// (block, place, generation) -> whether it let them pass
Napi::Value open_barrier(const Napi::CallbackInfo& info) {
  const bool is_open = posix::open_barrier(to_barrier(info[0]), to_int(info[1]), to_unsigned(info[2]));
  return Napi::Boolean::New(info.Env(), is_open);
}

// (block, whether it is usable again)
Napi::Value break_barrier(const Napi::CallbackInfo& info) {
  if (info[1].As<Napi::Boolean>().Value()) {
    posix::reset_barrier(to_barrier(info[0]));
  } else {
    posix::break_barrier(to_barrier(info[0]));
  }
  return info.Env().Undefined();
}

// (block) -> [parties, how many wait, whether it is broken]
Napi::Value tell_barrier(const Napi::CallbackInfo& info) {
  const posix::shared_barrier& barrier = to_barrier(info[0]);
  return to_array(info.Env(), {barrier.parties, barrier.count, barrier.is_broken});
}

}  // namespace truefork::napi
