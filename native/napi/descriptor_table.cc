#include "../posix/descriptor_table.h"

#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

Napi::Value text_or_null(Napi::Env env, bool there, const std::string& text) {
  return there ? Napi::String::New(env, text) : env.Null();
}

Napi::Object to_socket(Napi::Env env, const posix::socket_state& socket) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("domain", socket.domain);
  object.Set("type", socket.type);
  object.Set("state", socket.state);
  object.Set("local", socket.local);
  object.Set("remote", text_or_null(env, socket.connected, socket.remote));
  return object;
}

Napi::Object to_row(Napi::Env env, const posix::descriptor& descriptor) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("fd", to_number(env, descriptor.name.fd));
  object.Set("target", descriptor.name.target);
  object.Set("peer", text_or_null(env, !descriptor.name.peer.empty(), descriptor.name.peer));
  object.Set("pid", to_number(env, descriptor.name.pid));
  object.Set("descriptorFlags", to_number(env, descriptor.descriptor_flags));
  object.Set("flags", to_number(env, descriptor.flags));
  object.Set("mode", to_number(env, descriptor.mode));
  object.Set("offset", to_number(env, descriptor.offset));
  object.Set("terminal", Napi::Boolean::New(env, descriptor.terminal));
  object.Set("socket", descriptor.is_socket ? to_socket(env, descriptor.socket) : env.Null());
  return object;
}

}  // namespace

// () -> [0 or a negative error number; a row for each descriptor]
Napi::Value descriptor_table(const Napi::CallbackInfo& info) {
  std::vector<posix::descriptor> table;
  const int failure = posix::read_descriptor_table(table);
  Napi::Array array = to_array(info.Env(), {failure});
  for (const posix::descriptor& row : table) array.Set(array.Length(), to_row(info.Env(), row));
  return array;
}

}  // namespace truefork::napi
