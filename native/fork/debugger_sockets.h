// The sockets of Node's inspector: the one that it listens on, and those of the debuggers that are connected. They
// serve the parent, and two processes that read and write one connection would spoil it.
#ifndef TRUEFORK_FORK_DEBUGGER_SOCKETS_H_
#define TRUEFORK_FORK_DEBUGGER_SOCKETS_H_

#include <netinet/in.h>

#include <vector>

namespace truefork::fork {

// An address of the internet that a socket is bound to. Zeros as its address: any.
struct endpoint {
  sa_family_t family;
  in_port_t port;
  unsigned char address[16];
};

// Of what getsockname(2) filled in. A family of 0: not of the internet. Quiet code.
inline endpoint to_endpoint(const sockaddr_storage& name) noexcept {
  endpoint found{};
  if (name.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
    found = {AF_INET, v4.sin_port, {}};
    for (int i = 0; i < 4; ++i) found.address[i] = reinterpret_cast<const unsigned char*>(&v4.sin_addr)[i];
  } else if (name.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
    found = {AF_INET6, v6.sin6_port, {}};
    for (int i = 0; i < 16; ++i) found.address[i] = reinterpret_cast<const unsigned char*>(&v6.sin6_addr)[i];
  }
  return found;
}

// Whether a socket at `own` is the listening one, or was accepted by it. Quiet code.
inline bool is_served_by(const endpoint& listening, const endpoint& own) noexcept {
  if (own.family != listening.family || own.port != listening.port) return false;
  bool any = true;
  bool same = true;
  for (int i = 0; i < 16; ++i) {
    any = any && listening.address[i] == 0;
    same = same && listening.address[i] == own.address[i];
  }
  return any || same;
}

// Where these sockets listen.
std::vector<endpoint> endpoints_of(const std::vector<int>& listeners);

// In the child of fork_caller, which has no thread that would serve them: /dev/null takes their numbers.
void close_debugger_sockets(const std::vector<endpoint>& listening);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_DEBUGGER_SOCKETS_H_
