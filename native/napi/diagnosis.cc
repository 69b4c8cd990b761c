// What only native code knows of what is found in another process.
#include <algorithm>
#include <cstring>
#include <memory>

#include "../fork/record.h"
#include "../platform/platform.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

using fork::fork_record;

Napi::Value name_of(Napi::Env env, fork::kept_threads kept) {
  if (kept == fork::kept_threads::not_forked) return env.Null();
  return Napi::String::New(env, kept == fork::kept_threads::all ? "all" : "caller");
}

Napi::Object to_thread(Napi::Env env, const fork::noted_thread& thread) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("tid", to_number(env, thread.tid));
  object.Set("tidHere", to_number(env, thread.tid_here));
  object.Set("name", Napi::String::New(env, thread.name, strnlen(thread.name, sizeof thread.name)));
  return object;
}

Napi::Object to_lock(Napi::Env env, const fork::noted_lock& lock) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("address", Napi::BigInt::New(env, lock.address));
  object.Set("kind", Napi::String::New(env, lock.kind == fork::lock_kind::mutex ? "mutex" : "rwlock"));
  object.Set("tid", to_number(env, lock.tid));
  object.Set("tidHere", to_number(env, lock.tid_here));
  return object;
}

template <typename Item, typename Convert>
Napi::Array to_list(Napi::Env env, const Item* items, uint32_t count, uint32_t room, Convert convert) {
  const uint32_t noted = std::min(count, room);
  Napi::Array list = Napi::Array::New(env, noted);
  for (uint32_t i = 0; i < noted; ++i) list.Set(i, convert(env, items[i]));
  return list;
}

// Of a process whose threads have new tids: what locks that weren't rewritten may still call them.
Napi::Array to_former(Napi::Env env, const fork_record& record) {
  const auto pair = [](Napi::Env in, const fork::former_tid& former) {
    return to_array(in, {former.tid, former.tid_here});
  };
  return to_list(env, record.former, record.former_count, fork_record::most_former, pair);
}

}  // namespace

// (the bytes of a record in another process) -> it, or null if they are none
Napi::Value fork_record_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto bytes = info[0].As<Napi::Uint8Array>();
  auto record = std::make_unique<fork_record>();
  if (bytes.ByteLength() < sizeof *record) return env.Null();
  memcpy(record.get(), bytes.Data(), sizeof *record);
  if (memcmp(record->magic, fork_record::mark, sizeof record->magic) != 0) return env.Null();
  if (record->layout != fork_record::this_layout) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  object.Set("process", to_number(env, record->process));
  object.Set("parent", to_number(env, record->parent));
  object.Set("kept", name_of(env, record->kept));
  object.Set("milliseconds", to_number(env, record->time / 1'000'000));
  object.Set("threadCount", to_number(env, record->thread_count));
  object.Set("complete", Napi::Boolean::New(env, record->former_lost == 0));
  object.Set("threads", to_list(env, record->threads, record->thread_count, fork_record::most_threads, to_thread));
  object.Set("former", to_former(env, *record));
  object.Set("locks", to_list(env, record->locks, record->lock_count, fork_record::most_locks, to_lock));
  return object;
}

// () -> { name: of a record's mapping, size: in bytes, systemCalls: { number: name }, tidOffset: of the C library }
Napi::Value diagnosis_facts(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object calls = Napi::Object::New(env);
  for (const auto* row = platform::system_calls; row->name != nullptr; ++row) {
    calls.Set(static_cast<uint32_t>(row->value), row->name);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("recordName", fork::record_name);
  object.Set("recordSize", to_number(env, sizeof(fork_record)));
  object.Set("systemCalls", calls);
  object.Set("tidOffset", to_number(env, platform::tid_offset()));
  return object;
}

// () -> [name, 0 or a negative error number]...
Napi::Value probes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<platform::probe> list;
  platform::try_calls(list);
  Napi::Array result = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); ++i) {
    Napi::Array row = Napi::Array::New(env, 2);
    row.Set(0U, list[i].name);
    row.Set(1U, to_number(env, list[i].failure));
    result.Set(i, row);
  }
  return result;
}

}  // namespace truefork::napi
