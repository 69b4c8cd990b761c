// Socketpairs with both their ends in this process. Only sock_diag(7) tells which ends belong together.
#include <fcntl.h>
#include <sys/socket.h>

#include <initializer_list>

#include "../platform/unix_peer.h"
#include "quiet.h"
#include "twins.h"

namespace truefork::fork {

namespace {

using platform::unix_peer;
using quiet::call;
using quiet::system_call;

long socket_option(int fd, int option) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return system_call(SYS_getsockopt, fd, SOL_SOCKET, option, (long)&value, (long)&size) == 0 ? value : -1;
}

void set_socket_option(int fd, int option, int value) noexcept {
  system_call(SYS_setsockopt, fd, SOL_SOCKET, option, (long)&value, sizeof value);
}

unix_peer ask_peer(int netlink, uint64_t inode) noexcept {
  const platform::peer_question question = platform::question_about(inode);
  alignas(nlmsghdr) char answer[1024]{};
  if (call(SYS_write, netlink, &question, sizeof question) < 0) return {};
  return platform::peer_of(answer, call(SYS_read, netlink, answer, sizeof answer));
}

const socket_end* find_socket(const descriptor_table& table, uint64_t inode) noexcept {
  for (const socket_end& end : table.sockets) {
    if (end.inode == inode) return &end;
  }
  return nullptr;
}

// Sends by `writer` what waits in `reader`, message by message, and leaves it there; SO_PEEK_OFF, socket(7).
descriptor_outcome copy_waiting(descriptor_table& table, int reader, int writer) noexcept {
  constexpr size_t largest_message = 1 << 20;
  const int failure = table.text.reserve(largest_message);
  if (failure != 0) return failed("mmap", failure);
  const long previous = socket_option(reader, SO_PEEK_OFF);
  set_socket_option(reader, SO_PEEK_OFF, 0);
  descriptor_outcome outcome = done;
  while (outcome.failure == 0) {
    const long size = call(SYS_recvfrom, reader, table.text.items, largest_message, MSG_PEEK | MSG_DONTWAIT, 0, 0);
    if (size <= 0) break;
    const long sent = call(SYS_sendto, writer, table.text.items, size, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    if (sent != size) outcome = failed("sendto", sent < 0 ? sent : -ENOBUFS);
  }
  set_socket_option(reader, SO_PEEK_OFF, static_cast<int>(previous));
  return outcome;
}

void copy_settings(int from, int to, int flags) noexcept {
  for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
    const long size = socket_option(from, option);
    if (size > 0) set_socket_option(to, option, static_cast<int>(size / 2));  // the kernel doubles it; socket(7)
  }
  system_call(SYS_fcntl, to, F_SETFL, flags & O_NONBLOCK);
}

descriptor_outcome twin_pair(descriptor_table& table, const socket_end& one, const socket_end& other, uint8_t shut_down,
                             uint8_t other_shut_down) noexcept {
  int ends[2]{};
  const long failure = system_call(SYS_socketpair, AF_UNIX, one.type | SOCK_CLOEXEC, 0, (long)ends);
  if (failure != 0) return failed("socketpair", failure);
  copy_settings(one.fd, ends[0], one.flags);
  copy_settings(other.fd, ends[1], other.flags);
  descriptor_outcome outcome = copy_waiting(table, other.fd, ends[0]);
  if (outcome.failure == 0) outcome = copy_waiting(table, one.fd, ends[1]);
  if (shut_down != 0) system_call(SYS_shutdown, ends[0], shut_down - 1);  // SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2
  if (other_shut_down != 0) system_call(SYS_shutdown, ends[1], other_shut_down - 1);
  if (outcome.failure == 0)
    outcome = add_twin(table, {one.fd, ends[0], one.cloexec, false});
  else
    system_call(SYS_close, ends[0]);
  if (outcome.failure == 0) return add_twin(table, {other.fd, ends[1], other.cloexec, false});
  system_call(SYS_close, ends[1]);
  return outcome;
}

descriptor_outcome twin_socket(descriptor_table& table, const socket_end& end, int netlink) noexcept {
  if (find_twin(table, end.fd) != nullptr) return done;
  const socket_end* const first = find_socket(table, end.inode);
  if (const twin* const same = find_twin(table, first->fd)) return duplicate_twin(table, *same, end.fd, end.cloexec);
  const unix_peer found = ask_peer(netlink, end.inode);
  const socket_end* const other = found.inode == 0 ? nullptr : find_socket(table, found.inode);
  if (other == nullptr || other->inode == end.inode) return done;  // somebody else has the other end
  return twin_pair(table, end, *other, found.shut_down, ask_peer(netlink, other->inode).shut_down);
}

}  // namespace

descriptor_outcome note_socket(descriptor_table& table, int fd, const struct stat& status) noexcept {
  if (socket_option(fd, SO_DOMAIN) != AF_UNIX || stays_shared(table, status.st_ino)) return done;
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  const bool connected = system_call(SYS_getpeername, fd, (long)&name, (long)&size) == 0;
  if (!connected || size > sizeof name.ss_family) return done;
  const long flags = system_call(SYS_fcntl, fd, F_GETFL);
  const bool cloexec = system_call(SYS_fcntl, fd, F_GETFD) == FD_CLOEXEC;
  const int failure = table.sockets.add(
      {fd, static_cast<int>(flags), cloexec, status.st_ino, static_cast<int>(socket_option(fd, SO_TYPE))});
  return failure == 0 ? done : failed("mmap", failure);
}

descriptor_outcome twin_socketpairs(descriptor_table& table) noexcept {
  if (table.sockets.count < 2) return done;
  const int netlink = static_cast<int>(system_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  // Without sock_diag (CONFIG_UNIX_DIAG) they stay shared, as fork(2) has it.
  if (netlink < 0) return netlink == -EMFILE || netlink == -ENFILE ? failed("socket", netlink) : done;
  descriptor_outcome outcome = done;
  for (size_t i = 0; i < table.sockets.count && outcome.failure == 0; ++i) {
    outcome = twin_socket(table, table.sockets.items[i], netlink);
  }
  system_call(SYS_close, netlink);
  return outcome;
}

}  // namespace truefork::fork
