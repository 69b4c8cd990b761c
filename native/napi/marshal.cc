#include "marshal.h"

#include "../platform/platform.h"

namespace truefork::napi {

Napi::Value property(const Napi::Object& object, const char* key) {
  return object.IsEmpty() ? Napi::Value() : object.Get(key);
}

uint32_t length_of(const Napi::Array& list) { return list.IsEmpty() ? 0 : list.Length(); }

std::string to_bytes(const Napi::Value& value) {
  if (value.IsEmpty()) return {};
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  const auto bytes = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength()};
}

int32_t to_int(const Napi::Value& value) { return value.IsEmpty() ? -1 : value.As<Napi::Number>().Int32Value(); }

bool to_signal_set(const Napi::Array& signals, sigset_t& set, bool lenient) {
  sigemptyset(&set);
  for (uint32_t i = 0; i < length_of(signals); ++i) {
    if (sigaddset(&set, to_int(signals.Get(i))) != 0 && !lenient) return false;
  }
  return true;
}

string_list::string_list(const Napi::Array& list) {
  strings_.reserve(length_of(list));
  for (uint32_t i = 0; i < length_of(list); ++i) strings_.push_back(to_bytes(list.Get(i)));
  fill_pointers();
}

string_list::string_list(char* const* list) {
  for (; *list != nullptr; ++list) strings_.emplace_back(*list);
  fill_pointers();
}

void string_list::fill_pointers() {
  pointers_.reserve(strings_.size() + 1);
  for (std::string& string : strings_) pointers_.push_back(string.data());
  pointers_.push_back(nullptr);
}

environment_list::environment_list(const Napi::Value& list_or_null) {
  if (list_or_null.IsArray()) own_.emplace_back(list_or_null.As<Napi::Array>());
}

void environment_list::keep() {
  if (own_.empty()) own_.emplace_back(platform::environment());
}

char* const* environment_list::get() const noexcept {
  return own_.empty() ? platform::environment() : own_.front().get();
}

Napi::Value to_number(Napi::Env env, int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

Napi::Array to_array(Napi::Env env, std::initializer_list<int64_t> values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  uint32_t index = 0;
  for (const int64_t value : values) array.Set(index++, to_number(env, value));
  return array;
}

uv_loop_t* event_loop(Napi::Env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  return loop;
}

}  // namespace truefork::napi
