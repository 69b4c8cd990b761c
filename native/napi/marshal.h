// JavaScript values made into memory of our own, before anything happens.
#ifndef TRUEFORK_NAPI_MARSHAL_H_
#define TRUEFORK_NAPI_MARSHAL_H_

#include <signal.h>
#include <uv.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "api.h"

namespace truefork::napi {

// In a Worker that is being ended, properties can't be read any more: what comes then is an empty value, on which
// every call of Node-API would abort the process. These read it as nothing, no item, no bytes, -1.
Napi::Value property(const Napi::Object& object, const char* key);
uint32_t length_of(const Napi::Array& list);

// The bytes of a string, as UTF-8, or of a Buffer, as they are.
std::string to_bytes(const Napi::Value& value);

int32_t to_int(const Napi::Value& value);

// Signal numbers as a set. False when the C library refuses one, as glibc does its own 32 and 33, unless `lenient`
// leaves those out.
bool to_signal_set(const Napi::Array& signals, sigset_t& set, bool lenient = false);

// A list of strings as exec takes it: pointers with a null at the end.
class string_list {
 public:
  explicit string_list(const Napi::Array& list);
  // A copy of a list that ends with a null.
  explicit string_list(char* const* list);
  char* const* get() const noexcept { return pointers_.data(); }

 private:
  void fill_pointers();

  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

// A list of NAME=value, or this process's own environment where JavaScript gave null.
class environment_list {
 public:
  explicit environment_list(const Napi::Value& list_or_null);
  // For other threads to read: this process's own may change meanwhile, so it is copied.
  void keep();
  char* const* get() const noexcept;

 private:
  std::vector<string_list> own_;
};

Napi::Value to_number(Napi::Env env, int64_t value);
Napi::Array to_array(Napi::Env env, std::initializer_list<int64_t> values);

uv_loop_t* event_loop(Napi::Env env);

}  // namespace truefork::napi

#endif  // TRUEFORK_NAPI_MARSHAL_H_
