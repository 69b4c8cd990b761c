// What a socket says of itself: socket(7), getsockname(2), getpeername(2).
#ifndef TRUEFORK_POSIX_SOCKET_STATE_H_
#define TRUEFORK_POSIX_SOCKET_STATE_H_

#include <string>

namespace truefork::posix {

struct socket_state {
  const char* domain;  // "unix", "inet", "inet6", "other"
  const char* type;    // "stream", "dgram", "seqpacket", "raw", "other"
  const char* state;   // "listening", "established", "unconnected", or what else TCP has
  std::string local;   // "127.0.0.1:80", "[::1]:80", "/path", "@abstract"; empty: it has no name
  bool connected;
  std::string remote;
};

// False: `fd` is no socket that can be asked.
bool read_socket_state(int fd, socket_state& socket);

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SOCKET_STATE_H_
