// What the child has in place of its parent's inspector sockets: sockets whose other ends it holds itself. Nobody
// connects there, and what a session of the parent's still writes reaches nobody: debugger_peers.cc.
#include <sys/socket.h>

#include <algorithm>

#include "quiet.h"
#include "twins.h"

namespace truefork::fork {

using quiet::system_call;

bool serves_debugger(const descriptor_table& table, int fd) noexcept {
  if (table.debugger_endpoints.count == 0) return false;
  int type = 0;
  socklen_t size = sizeof type;
  system_call(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)&type, (long)&size);
  sockaddr_storage name{};
  size = sizeof name;
  if (type != SOCK_STREAM || system_call(SYS_getsockname, fd, (long)&name, (long)&size) != 0) return false;
  const endpoint own = to_endpoint(name);
  const auto serves = [&own](const endpoint& listening) { return is_served_by(listening, own); };
  return std::any_of(table.debugger_endpoints.begin(), table.debugger_endpoints.end(), serves);
}

descriptor_outcome twin_debugger_socket(descriptor_table& table, int fd) noexcept {
  // Of packets, so that each frame that is written comes as one.
  int ends[2]{};
  const long failure =
      system_call(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, (long)ends);
  if (failure != 0) return failed("socketpair", failure);
  const int full = table.debugger_peers.add(ends[1]);
  if (full == 0) return add_twin(table, {fd, ends[0], true, false});
  for (const int end : ends) system_call(SYS_close, end);
  return failed("mmap", full);
}

}  // namespace truefork::fork
