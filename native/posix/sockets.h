// socketpair(2), and descriptors as messages: unix(7), SCM_RIGHTS.
#ifndef TRUEFORK_POSIX_SOCKETS_H_
#define TRUEFORK_POSIX_SOCKETS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace truefork::posix {

int socketpair(int type, int ends[2]) noexcept;

// The bytes of `data` that were sent, `fds` with the first of them, or a negative error number.
ssize_t send_descriptors(int socket, const std::vector<int>& fds, const std::string& data);

struct received {
  ssize_t size;          // bytes of data; 0: end of file; negative: an error number, and no descriptor is left
  std::vector<int> fds;  // all FD_CLOEXEC
};

received receive_descriptors(int socket, void* data, size_t size);

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SOCKETS_H_
