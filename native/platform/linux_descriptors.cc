// Linux: what this process has open, as /proc and sock_diag(7) tell it.
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../posix/result.h"
#include "exits.h"
#include "platform.h"
#include "spare_descriptor.h"
#include "unix_peer.h"

namespace truefork::platform {

namespace {

// Not /proc/self: a thread may have a table of its own (CLOSE_RANGE_UNSHARE), and self shows the main thread's.
constexpr char table_folder[] = "/proc/thread-self/fd";

int read_table(std::vector<int>& fds) {
  DIR* const folder = opendir(table_folder);
  if (folder == nullptr) return -errno;
  const int own = dirfd(folder);
  while (const dirent* entry = readdir(folder)) {
    const int fd = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != own) fds.push_back(fd);
  }
  closedir(folder);
  return 0;
}

std::string target_of(int fd) {
  const std::string link = std::string(table_folder) + '/' + std::to_string(fd);
  char target[PATH_MAX];
  const ssize_t size = readlink(link.c_str(), target, sizeof target);
  return size < 0 ? std::string() : std::string(target, static_cast<size_t>(size));
}

// The inode of a UNIX socket's other end, or 0.
uint64_t ask_peer(int netlink, uint64_t inode) noexcept {
  const peer_question question = question_about(inode);
  alignas(nlmsghdr) char answer[1024]{};
  if (send(netlink, &question, sizeof question, 0) < 0) return 0;
  // The kernel has answered before send returns.
  return peer_of(answer, recv(netlink, answer, sizeof answer, MSG_DONTWAIT)).inode;
}

// Without sock_diag (CONFIG_UNIX_DIAG) no peer is known.
int name_peers(std::vector<named_descriptor>& descriptors) {
  const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -errno;
  for (named_descriptor& row : descriptors) {
    unsigned inode = 0;
    sockaddr name{};
    socklen_t size = sizeof name;
    if (sscanf(row.target.c_str(), "socket:[%u]", &inode) != 1) continue;
    if (getsockname(row.fd, &name, &size) != 0 || name.sa_family != AF_UNIX) continue;
    const uint64_t peer = ask_peer(netlink, inode);
    if (peer != 0) row.peer = "socket:[" + std::to_string(peer) + ']';
  }
  close(netlink);
  return 0;
}

}  // namespace

int close_range(unsigned first, unsigned last, int flags) noexcept {
  constexpr long number = 436;  // on every processor; Linux 5.9, glibc 2.34
  return static_cast<int>(from_errno(syscall(number, first, last, flags)));
}

int list_descriptors(std::vector<int>& fds) {
  int failure = read_table(fds);
  if (failure == -EMFILE) {
    fds.clear();
    failure = with_spare_descriptor([&fds] { return read_table(fds); });
    // The one that was closed there for the folder's sake is open here.
    if (failure == 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0) fds.push_back(STDERR_FILENO);
  }
  std::sort(fds.begin(), fds.end());
  return failure;
}

bool wakes_event_loop(int fd) {
  const std::string target = target_of(fd);
  return target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" || target == "anon_inode:[io_uring]";
}

int name_descriptors(std::vector<named_descriptor>& descriptors) {
  std::vector<int> fds;
  const int failure = list_descriptors(fds);
  if (failure != 0) return failure;
  for (const int fd : fds) {
    named_descriptor row{fd, target_of(fd), {}, 0};
    if (row.target.compare(0, 6, "pipe:[") == 0) row.peer = row.target;  // one inode has both ends
    if (row.target.find("[pidfd]") != std::string::npos) row.pid = pid_of_pidfd(fd);
    descriptors.push_back(row);
  }
  if (name_peers(descriptors) == -EMFILE) with_spare_descriptor([&descriptors] { return name_peers(descriptors); });
  return 0;
}

const char* tcp_state(int fd) noexcept {
  // TCP_* of <netinet/tcp.h>, in its order.
  static constexpr const char* names[] = {
      nullptr,     "established", "syn-sent",   "syn-recv", "fin-wait-1", "fin-wait-2",
      "time-wait", "unconnected", "close-wait", "last-ack", "listening",  "closing",
  };
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return nullptr;
  return info.tcpi_state < sizeof names / sizeof *names ? names[info.tcpi_state] : nullptr;
}

const int send_flags = MSG_NOSIGNAL;
const int receive_flags = MSG_CMSG_CLOEXEC;
const int pidfd_message = 4;  // SCM_PIDFD, Linux 6.5, where SO_PASSPIDFD is set

void refuse_sigpipe(int /*socket*/) noexcept {}

int message_pair(int ends[2]) noexcept {
  return from_errno(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
}

const int message_limit = 65'536;
const bool poll_tells_room = true;

int anonymous_file() noexcept {
  constexpr unsigned noexec_seal = 8;  // MFD_NOEXEC_SEAL, Linux 6.3; a sysctl can demand it
  const int file = memfd_create("truefork", MFD_CLOEXEC | noexec_seal);
  return file >= 0 || errno != EINVAL ? from_errno(file) : from_errno(memfd_create("truefork", MFD_CLOEXEC));
}

}  // namespace truefork::platform
