// macOS: what this process has open, as proc_pidinfo tells it. Compiled, never run by our own machines.
#include <fcntl.h>
#include <libproc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "platform.h"

namespace truefork::platform {

namespace {

int read_table(std::vector<proc_fdinfo>& table) {
  // The first answer is a size with room to spare; another thread may open more until the second.
  const int needed = proc_pidinfo(getpid(), PROC_PIDLISTFDS, 0, nullptr, 0);
  if (needed <= 0) return -errno;
  table.resize(static_cast<size_t>(needed) / sizeof(proc_fdinfo) + 64);
  const int size = static_cast<int>(table.size() * sizeof(proc_fdinfo));
  const int used = proc_pidinfo(getpid(), PROC_PIDLISTFDS, 0, table.data(), size);
  if (used <= 0) return -errno;
  table.resize(static_cast<size_t>(used) / sizeof(proc_fdinfo));
  std::sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.proc_fd < b.proc_fd; });
  return 0;
}

std::string named(const char* kind, uint64_t handle) {
  char text[64];
  snprintf(text, sizeof text, "%s:[%" PRIx64 "]", kind, handle);
  return text;
}

void name_vnode(named_descriptor& row) {
  char path[MAXPATHLEN] = {};
  if (fcntl(row.fd, F_GETPATH, path) == 0) row.target = path;
}

void name_pipe(named_descriptor& row) {
  pipe_fdinfo info{};
  if (proc_pidfdinfo(getpid(), row.fd, PROC_PIDFDPIPEINFO, &info, sizeof info) != sizeof info) return;
  row.target = named("pipe", info.pipeinfo.pipe_handle);
  if (info.pipeinfo.pipe_peerhandle != 0) row.peer = named("pipe", info.pipeinfo.pipe_peerhandle);
}

void name_socket(named_descriptor& row) {
  socket_fdinfo info{};
  if (proc_pidfdinfo(getpid(), row.fd, PROC_PIDFDSOCKETINFO, &info, sizeof info) != sizeof info) return;
  row.target = named("socket", info.psi.soi_so);
  if (info.psi.soi_kind != SOCKINFO_UN) return;
  const uint64_t peer = info.psi.soi_proto.pri_un.unsi_conn_so;
  if (peer != 0) row.peer = named("socket", peer);
}

void name(named_descriptor& row, uint32_t type) {
  switch (type) {
    case PROX_FDTYPE_VNODE:
      return name_vnode(row);
    case PROX_FDTYPE_PIPE:
      return name_pipe(row);
    case PROX_FDTYPE_SOCKET:
      return name_socket(row);
    case PROX_FDTYPE_KQUEUE:
      row.target = "kqueue";
      return;
    default:
      row.target = "type:[" + std::to_string(type) + ']';
  }
}

}  // namespace

int close_range(unsigned /*first*/, unsigned /*last*/, int /*flags*/) noexcept { return -ENOSYS; }

int list_descriptors(std::vector<int>& fds) {
  std::vector<proc_fdinfo> table;
  const int failure = read_table(table);
  for (const proc_fdinfo& entry : table) fds.push_back(entry.proc_fd);
  return failure;
}

bool wakes_event_loop(int fd) {
  kqueue_fdinfo info{};
  return proc_pidfdinfo(getpid(), fd, PROC_PIDFDKQUEUEINFO, &info, sizeof info) == sizeof info;
}

int name_descriptors(std::vector<named_descriptor>& descriptors) {
  std::vector<proc_fdinfo> table;
  const int failure = read_table(table);
  for (const proc_fdinfo& entry : table) {
    named_descriptor row{entry.proc_fd, {}, {}, 0};
    name(row, entry.proc_fdtype);
    descriptors.push_back(row);
  }
  return failure;
}

const char* tcp_state(int fd) noexcept {
  // TCPS_* of <netinet/tcp_fsm.h>, in its order.
  static constexpr const char* names[] = {
      "unconnected", "listening", "syn-sent", "syn-recv",   "established", "close-wait",
      "fin-wait-1",  "closing",   "last-ack", "fin-wait-2", "time-wait",
  };
  tcp_connection_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONNECTION_INFO, &info, &size) != 0) return nullptr;
  return info.tcpi_state < sizeof names / sizeof *names ? names[info.tcpi_state] : nullptr;
}

const int send_flags = 0;
const int receive_flags = 0;
const int pidfd_message = -1;

void refuse_sigpipe(int socket) noexcept {
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

// There is no SOCK_SEQPACKET. Datagrams between two sockets of this kind are kept in order and none is lost.
int message_pair(int ends[2]) noexcept {
  if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return -errno;
  for (int i = 0; i < 2; ++i) {
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
    refuse_sigpipe(ends[i]);
  }
  return 0;
}

const int message_limit = 2048;      // net.local.dgram.maxdgram
const bool poll_tells_room = false;  // a full receiver is ENOBUFS, while poll(2) sees room

int anonymous_file() noexcept {
  char path[MAXPATHLEN];
  const size_t size = confstr(_CS_DARWIN_USER_TEMP_DIR, path, sizeof path);
  if (size == 0 || size + sizeof "truefork.XXXXXX" > sizeof path) return -ENAMETOOLONG;
  strlcat(path, "truefork.XXXXXX", sizeof path);
  const int file = mkostemp(path, O_CLOEXEC);
  if (file < 0) return -errno;
  unlink(path);
  return file;
}

}  // namespace truefork::platform
