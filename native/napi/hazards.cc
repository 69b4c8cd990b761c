// What lib/safety/ asks before a fork: each an observation, without a verdict.
#include <algorithm>

#include "../fork/fork.h"
#include "../fork/pending_writes.h"
#include "../platform/platform.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

const char* name_of(platform::code_owner owner) noexcept {
  switch (owner) {
    case platform::code_owner::runtime:
      return "runtime";
    case platform::code_owner::c_library:
      return "c-library";
    case platform::code_owner::other:
      return "other";
    default:
      return "unknown";
  }
}

// Addresses of this machine's processes are exact in a double.
Napi::Value to_address(Napi::Env env, uint64_t address) { return to_number(env, static_cast<int64_t>(address)); }

Napi::Object to_origin(Napi::Env env, const platform::thread_origin& origin, size_t order) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("order", to_number(env, static_cast<int64_t>(order)));
  object.Set("start", to_address(env, origin.start));
  object.Set("argument", to_address(env, origin.argument));
  object.Set("code", name_of(origin.code));
  object.Set("onStack", Napi::Boolean::New(env, origin.on_stack));
  object.Set("ofObject", Napi::Boolean::New(env, origin.of_object));
  object.Set("file", origin.file);
  return object;
}

template <typename List, typename Convert>
Napi::Array to_objects(Napi::Env env, const List& list, Convert convert) {
  Napi::Array result = Napi::Array::New(env, list.size());
  uint32_t index = 0;
  for (const auto& item : list) result.Set(index++, convert(item));
  return result;
}

}  // namespace

// () -> [negative error number or 0, { tid, name, state, stoppable, origin }...]
Napi::Value threads(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  constexpr uint64_t stop_signal = uint64_t{1} << 31;  // 32, by which fork_all stops threads
  const std::vector<platform::thread_origin> origins = platform::thread_origins();
  std::vector<platform::thread_info> list;
  std::vector<uint64_t> blocked;
  Napi::Array result = to_array(env, {platform::list_threads(list, &blocked)});
  for (size_t i = 0; i < list.size(); ++i) {
    const platform::thread_info& thread = list[i];
    const auto is_its = [&thread](const platform::thread_origin& origin) { return origin.tid == thread.tid; };
    const auto origin = std::find_if(origins.begin(), origins.end(), is_its);
    Napi::Object row = Napi::Object::New(env);
    row.Set("tid", to_number(env, thread.tid));
    row.Set("name", Napi::String::New(env, thread.name));
    row.Set("state", Napi::String::New(env, &thread.state, 1));
    const bool stoppable = (blocked[i] & stop_signal) == 0 || platform::is_kernel_worker(thread.tid);
    row.Set("stoppable", Napi::Boolean::New(env, stoppable));
    row.Set("origin", origin == origins.end() ? env.Null()
                                              : to_origin(env, *origin, static_cast<size_t>(origin - origins.begin())));
    result.Set(static_cast<uint32_t>(i + 1), row);
  }
  return result;
}

// (tids of this process's threads) -> { waiter, owner, file }...
Napi::Value lock_waits(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto list = info[0].As<Napi::Array>();
  std::vector<int64_t> tids;
  for (uint32_t i = 0; i < length_of(list); ++i) tids.push_back(to_int(list.Get(i)));
  return to_objects(env, platform::lock_waits(tids), [env](const platform::lock_wait& wait) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("waiter", to_number(env, wait.waiter));
    row.Set("owner", to_number(env, wait.owner));
    row.Set("file", wait.file);
    return row;
  });
}

// () -> { fd, kind }...
Napi::Value unrebuilt_descriptors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return to_objects(env, fork::unrebuilt_descriptors(), [env](const fork::unrebuilt_descriptor& descriptor) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("fd", to_number(env, descriptor.fd));
    row.Set("kind", descriptor.kind);
    return row;
  });
}

// () -> { fd, size }...: what the calling thread's event loop has still to write
Napi::Value pending_writes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return to_objects(env, fork::pending_writes(event_loop(env)), [env](const fork::pending_write& write) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("fd", to_number(env, write.fd));
    row.Set("size", to_number(env, static_cast<int64_t>(write.size)));
    return row;
  });
}

// () -> { start, end, name }...
Napi::Value memory_left_out(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return to_objects(env, fork::memory_left_out(), [env](const fork::left_out_memory& memory) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("start", to_address(env, memory.start));
    row.Set("end", to_address(env, memory.end));
    row.Set("name", memory.name);
    return row;
  });
}

// () -> [kilobytes of this process's own huge pages, kilobytes that are free]
Napi::Value huge_pages(const Napi::CallbackInfo& info) {
  const auto [own, left] = platform::huge_pages();
  return to_array(info.Env(), {static_cast<int64_t>(own), static_cast<int64_t>(left)});
}

}  // namespace truefork::napi
