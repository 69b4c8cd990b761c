// Every open descriptor of this process, and what it is.
#ifndef TRUEFORK_POSIX_DESCRIPTOR_TABLE_H_
#define TRUEFORK_POSIX_DESCRIPTOR_TABLE_H_

#include <sys/types.h>

#include <vector>

#include "../platform/platform.h"
#include "socket_state.h"

namespace truefork::posix {

struct descriptor {
  platform::named_descriptor name;
  int descriptor_flags;  // F_GETFD
  int flags;             // F_GETFL
  mode_t mode;           // st_mode
  off_t offset;          // -1: it has none
  bool terminal;
  bool is_socket;
  socket_state socket;
};

// 0 or a negative error number. A descriptor that another thread closes meanwhile isn't there.
int read_descriptor_table(std::vector<descriptor>& table);

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_DESCRIPTOR_TABLE_H_
