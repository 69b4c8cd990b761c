// Kernel objects that parent and child would otherwise share and take events from each other by: the child gets
// its own under the same numbers. Quiet code.
#ifndef TRUEFORK_FORK_DESCRIPTORS_H_
#define TRUEFORK_FORK_DESCRIPTORS_H_

#include <sys/epoll.h>

#include <cstdint>

#include "debugger_sockets.h"
#include "quiet_list.h"
#include "watch_paths.h"

namespace truefork::fork {

// A descriptor of this process, and the object that takes its place in the child.
struct twin {
  int fd;
  int replacement;
  bool cloexec;
  bool is_epoll;
};

// What one epoll has noted of one descriptor.
struct registration {
  int epoll;
  int fd;
  epoll_event event;
};

struct pipe_end {
  int fd;
  int flags;  // of the open file
  bool cloexec;
  uint64_t inode;
};

// A connected socket of the Unix domain without a name.
struct socket_end {
  int fd;
  int flags;
  bool cloexec;
  uint64_t inode;
  int type;
};

// Where a part of a ring of io_uring is mapped.
struct ring_map {
  uint64_t inode;
  uint64_t offset;
  uint64_t address;
  uint64_t size;
};

// A ring that the child maps anew where the old one is.
struct ring_twin {
  int fd;
  ring_map ring;
  ring_map entries;
  uint32_t array;  // where in the ring its slots are listed, or 0 where it has no such list
  uint32_t submissions;
};

struct descriptor_table {
  long folder;  // /proc/self/fdinfo
  quiet::list<int> open;
  quiet::list<pipe_end> pipe_ends;
  quiet::list<socket_end> sockets;
  quiet::list<twin> twins;
  quiet::list<registration> registrations;
  quiet::list<char> text;  // one file of /proc, or what waits in a socket
  // Inodes of pipes that stay shared with the child, as pipe(2) has it.
  quiet::list<uint64_t> shared_inodes;
  // Where Node's inspector listens.
  quiet::list<endpoint> debugger_endpoints;
  quiet::list<int> debugger_peers;  // the other ends of what takes the place of its sockets
  quiet::list<watch_path> watches;
  quiet::list<char> watch_text;
  quiet::list<ring_map> ring_maps;  // kept from fork to fork: a ring has its inode for itself
  quiet::list<ring_twin> rings;
  bool share_rings;      // whether a ring of io_uring, which can't be made anew, is no failure
  uint64_t pipe_device;  // st_dev of every pipe that isn't a named one
};

struct descriptor_outcome {
  int failure = 0;             // a negative error number
  const char* step = nullptr;  // the call that failed
};

// In the parent, while nothing moves: makes a twin of every eventfd, timerfd, signalfd and epoll, and of every pipe and
// socketpair with both its ends here, in the state that it is in. After a failure there are none.
descriptor_outcome make_twins(descriptor_table& table) noexcept;

// In the child: puts the twins in place, and registers with the epolls among them what the old ones had.
descriptor_outcome use_twins(descriptor_table& table) noexcept;

// In the parent, where they have no use, the other ends included.
void close_twins(descriptor_table& table) noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_DESCRIPTORS_H_
