#include "debugger_sockets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "../platform/platform.h"

namespace truefork::fork {

namespace {

endpoint endpoint_of(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) return {};
  sockaddr_storage name{};
  size = sizeof name;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return {};
  return to_endpoint(name);
}

}  // namespace

std::vector<endpoint> endpoints_of(const std::vector<int>& listeners) {
  std::vector<endpoint> found;
  for (const int fd : listeners) {
    const endpoint own = endpoint_of(fd);
    if (own.family != 0) found.push_back(own);
  }
  return found;
}

void close_debugger_sockets(const std::vector<endpoint>& listening) {
  std::vector<int> open_ones;
  if (listening.empty() || platform::list_descriptors(open_ones) != 0) return;
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) return;
  for (const int fd : open_ones) {
    const endpoint own = endpoint_of(fd);
    const auto serves = [&own](const endpoint& each) { return is_served_by(each, own); };
    if (std::any_of(listening.begin(), listening.end(), serves)) platform::dup3(nothing, fd, O_CLOEXEC);
  }
  close(nothing);
}

}  // namespace truefork::fork
