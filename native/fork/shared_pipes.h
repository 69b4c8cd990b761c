// Pipes that were made to be shared: parent and child of a fork go on talking by them.
#ifndef TRUEFORK_FORK_SHARED_PIPES_H_
#define TRUEFORK_FORK_SHARED_PIPES_H_

#include <cstdint>

#include "quiet_list.h"

namespace truefork::fork {

// Fills `inodes` with those of every such pipe that may still be open. 0 or a negative error number.
int list_shared_pipes(quiet::list<uint64_t>& inodes);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_SHARED_PIPES_H_
