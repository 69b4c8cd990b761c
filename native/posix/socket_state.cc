#include "socket_state.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "../platform/platform.h"

namespace truefork::posix {

namespace {

struct address {
  sockaddr_storage bytes{};
  socklen_t size = sizeof bytes;
};

const char* domain_name(int domain) noexcept {
  if (domain == AF_UNIX) return "unix";
  if (domain == AF_INET) return "inet";
  return domain == AF_INET6 ? "inet6" : "other";
}

const char* type_name(int type) noexcept {
  if (type == SOCK_STREAM) return "stream";
  if (type == SOCK_DGRAM) return "dgram";
  if (type == SOCK_SEQPACKET) return "seqpacket";
  return type == SOCK_RAW ? "raw" : "other";
}

std::string unix_text(const address& name) {
  const auto& own = reinterpret_cast<const sockaddr_un&>(name.bytes);
  if (name.size <= offsetof(sockaddr_un, sun_path)) return {};
  const size_t size = name.size - offsetof(sockaddr_un, sun_path);
  // An abstract name begins with a null byte and has no end but its size; unix(7). '@' stands for it in netstat, too.
  if (own.sun_path[0] == '\0') return size == 1 ? std::string() : '@' + std::string(own.sun_path + 1, size - 1);
  return {own.sun_path, strnlen(own.sun_path, size)};
}

std::string inet6_text(const sockaddr_in6& own) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &own.sin6_addr, text, sizeof text);
  std::string host = text;
  char interface[IF_NAMESIZE] = {};
  if (own.sin6_scope_id != 0 && if_indextoname(own.sin6_scope_id, interface) != nullptr) {
    host += '%';
    host += interface;
  }
  return '[' + host + "]:" + std::to_string(ntohs(own.sin6_port));
}

std::string address_text(const address& name) {
  if (name.bytes.ss_family == AF_UNIX) return unix_text(name);
  if (name.bytes.ss_family == AF_INET6) return inet6_text(reinterpret_cast<const sockaddr_in6&>(name.bytes));
  if (name.bytes.ss_family != AF_INET) return {};
  const auto& own = reinterpret_cast<const sockaddr_in&>(name.bytes);
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);
  return std::string(text) + ':' + std::to_string(ntohs(own.sin_port));
}

int socket_option(int fd, int option) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

}  // namespace

bool read_socket_state(int fd, socket_state& socket) {
  address local;
  address remote;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local.bytes), &local.size) != 0) return false;
  socket.domain = domain_name(local.bytes.ss_family);
  socket.type = type_name(socket_option(fd, SO_TYPE));
  socket.local = address_text(local);
  socket.connected = getpeername(fd, reinterpret_cast<sockaddr*>(&remote.bytes), &remote.size) == 0;
  if (socket.connected) socket.remote = address_text(remote);
  socket.state = platform::tcp_state(fd);
  if (socket.state != nullptr) return true;
  socket.state = socket.connected ? "established" : "unconnected";
  if (socket_option(fd, SO_ACCEPTCONN) == 1) socket.state = "listening";
  return true;
}

}  // namespace truefork::posix
