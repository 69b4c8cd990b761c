// What sock_diag(7) is asked of a UNIX socket's other end, and what it answers. Calls nothing: quiet code uses it, too.
#ifndef TRUEFORK_PLATFORM_UNIX_PEER_H_
#define TRUEFORK_PLATFORM_UNIX_PEER_H_

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <cstdint>

namespace truefork::platform {

struct peer_question {
  nlmsghdr header;
  unix_diag_req request;
};

struct unix_peer {
  uint64_t inode;     // 0 where it can't be told
  uint8_t shut_down;  // of the socket that was asked about: RCV_SHUTDOWN 1, SEND_SHUTDOWN 2
};

inline peer_question question_about(uint64_t inode) noexcept {
  peer_question question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.request.sdiag_family = AF_UNIX;
  question.request.udiag_states = ~0U;
  question.request.udiag_ino = static_cast<uint32_t>(inode);
  question.request.udiag_show = UDIAG_SHOW_PEER;
  question.request.udiag_cookie[0] = question.request.udiag_cookie[1] = ~0U;  // none is known
  return question;
}

// Of an answer of `size` bytes, aligned as nlmsghdr is.
inline unix_peer peer_of(const char* answer, long size) noexcept {
  const auto* const header = reinterpret_cast<const nlmsghdr*>(answer);
  if (size < static_cast<long>(sizeof *header) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return {};
  unix_peer found{};
  int left = static_cast<int>(header->nlmsg_len - NLMSG_LENGTH(sizeof(unix_diag_msg)));
  const auto* attribute = reinterpret_cast<const rtattr*>(answer + NLMSG_LENGTH(sizeof(unix_diag_msg)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == UNIX_DIAG_PEER) found.inode = *static_cast<const uint32_t*>(RTA_DATA(attribute));
    if (attribute->rta_type == UNIX_DIAG_SHUTDOWN) found.shut_down = *static_cast<const uint8_t*>(RTA_DATA(attribute));
  }
  return found;
}

}  // namespace truefork::platform

#endif  // TRUEFORK_PLATFORM_UNIX_PEER_H_
