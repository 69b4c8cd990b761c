// What an event loop has still to send: the child would send it as well.
#ifndef TRUEFORK_FORK_PENDING_WRITES_H_
#define TRUEFORK_FORK_PENDING_WRITES_H_

#include <uv.h>

#include <cstddef>
#include <vector>

namespace truefork::fork {

struct pending_write {
  int fd;
  size_t size;  // in bytes
};

// In the loop's own thread.
std::vector<pending_write> pending_writes(uv_loop_t* loop);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_PENDING_WRITES_H_
