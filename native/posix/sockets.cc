#include "sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

namespace {

template <typename Call>
ssize_t uninterrupted(Call call) noexcept {
  for (;;) {
    const ssize_t value = from_errno(call());
    if (value != -EINTR) return value;
  }
}

void close_all(const std::vector<int>& fds) noexcept {
  for (const int fd : fds) close(fd);
}

// Descriptors of one control message, added to `fds`.
void take_descriptors(const cmsghdr& message, std::vector<int>& fds) {
  const size_t count = (message.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  const size_t before = fds.size();
  fds.resize(before + count);
  memcpy(fds.data() + before, CMSG_DATA(&message), count * sizeof(int));  // not aligned for an int everywhere
}

// A full table is what else makes the kernel leave descriptors out; recvmsg(2) has no number of its own for it.
int why_truncated(int socket) noexcept {
  const int probe = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (probe < 0) return -errno;
  close(probe);
  return -EMSGSIZE;
}

}  // namespace

int socketpair(int type, int ends[2]) noexcept {
  const int failure = from_errno(::socketpair(AF_UNIX, type, 0, ends));
  if (failure != 0) return failure;
  platform::refuse_sigpipe(ends[0]);
  platform::refuse_sigpipe(ends[1]);
  return 0;
}

ssize_t send_descriptors(int socket, const std::vector<int>& fds, const std::string& data) {
  iovec bytes{const_cast<char*>(data.data()), data.size()};
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));  // from operator new: aligned for a cmsghdr
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = static_cast<socklen_t>(control.size());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<socklen_t>(CMSG_LEN(fds.size() * sizeof(int)));
    memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  platform::refuse_sigpipe(socket);
  ssize_t sent = uninterrupted([&] { return sendmsg(socket, &message, platform::send_flags); });
  // A signal or a full socket can stop a stream half way. The descriptors are gone, so that is no error; write(2).
  while (sent > 0 && static_cast<size_t>(sent) < data.size()) {
    const char* const rest = data.data() + sent;
    const size_t size = data.size() - static_cast<size_t>(sent);
    const ssize_t count = uninterrupted([&] { return send(socket, rest, size, platform::send_flags); });
    if (count < 0) break;
    sent += count;
  }
  return sent;
}

received receive_descriptors(int socket, void* data, size_t size) {
  iovec bytes{data, size};
  // Room for SCM_MAX_FD descriptors, for macOS's more, and for what socket options add: credentials, a label, a pidfd.
  alignas(cmsghdr) char control[8192];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  received result{uninterrupted([&] { return recvmsg(socket, &message, platform::receive_flags); }), {}};
  if (result.size < 0) return result;
  std::vector<int> unasked;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) take_descriptors(*header, result.fds);
    if (header->cmsg_type == platform::pidfd_message) take_descriptors(*header, unasked);
  }
  close_all(unasked);
  if (platform::receive_flags == 0) {
    for (const int fd : result.fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  if ((message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0) return result;
  // Before the close, which would make room.
  const int failure = (message.msg_flags & MSG_CTRUNC) != 0 ? why_truncated(socket) : -EMSGSIZE;
  close_all(result.fds);
  return {failure, {}};
}

}  // namespace truefork::posix
