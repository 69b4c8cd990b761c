// The other ends of what a child has in place of its parent's inspector sockets.
#ifndef TRUEFORK_FORK_DEBUGGER_PEERS_H_
#define TRUEFORK_FORK_DEBUGGER_PEERS_H_

#include <vector>

namespace truefork::fork {

// In the child, before any JavaScript runs there: takes them over, for a thread of its own that ends when the
// inspector has closed its own ends.
void tend_debugger_peers(const std::vector<int>& peers);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_DEBUGGER_PEERS_H_
