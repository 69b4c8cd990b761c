#include "../posix/sockets.h"

#include "../fork/fork.h"
#include "../platform/platform.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

// (type) -> [0 or a negative error number, one end, the other]
Napi::Value socketpair(const Napi::CallbackInfo& info) {
  int ends[2] = {-1, -1};
  const int failure = posix::socketpair(to_int(info[0]), ends);
  if (failure == 0) {
    for (const int fd : ends) fork::share_pipe(fd);
  }
  return to_array(info.Env(), {failure, ends[0], ends[1]});
}

// () -> [0 or a negative error number, one end, the other]
Napi::Value message_pair(const Napi::CallbackInfo& info) {
  int ends[2] = {-1, -1};
  const int failure = platform::message_pair(ends);
  if (failure == 0) {
    for (const int fd : ends) fork::share_pipe(fd);
  }
  return to_array(info.Env(), {failure, ends[0], ends[1]});
}

// () -> [bytes of such a message at most, 1 if poll(2) tells when there is room for one]
Napi::Value message_limits(const Napi::CallbackInfo& info) {
  return to_array(info.Env(), {platform::message_limit, platform::poll_tells_room ? 1 : 0});
}

// () -> a descriptor or a negative error number
Napi::Value anonymous_file(const Napi::CallbackInfo& info) { return to_number(info.Env(), platform::anonymous_file()); }

// (socket, descriptors, data) -> bytes sent, or a negative error number
Napi::Value send_descriptors(const Napi::CallbackInfo& info) {
  const auto list = info[1].As<Napi::Array>();
  std::vector<int> fds;
  for (uint32_t i = 0; i < list.Length(); ++i) fds.push_back(to_int(list.Get(i)));
  return to_number(info.Env(), posix::send_descriptors(to_int(info[0]), fds, to_bytes(info[2])));
}

// (socket, buffer) -> [bytes received, or a negative error number; the descriptors]
Napi::Value receive_descriptors(const Napi::CallbackInfo& info) {
  auto buffer = info[1].As<Napi::Uint8Array>();
  const posix::received result = posix::receive_descriptors(to_int(info[0]), buffer.Data(), buffer.ByteLength());
  Napi::Array array = to_array(info.Env(), {result.size});
  for (const int fd : result.fds) {
    fork::share_pipe(fd);  // another process has it too, and be it that both its ends are here
    array.Set(array.Length(), to_number(info.Env(), fd));
  }
  return array;
}

}  // namespace truefork::napi
