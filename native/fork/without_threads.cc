// Where a child can't have its parent's threads: macOS, whose Mach threads no process can make for another, and
// Linux on machines that have no threads_<arch>.S.
#include <cerrno>

#include "fork.h"
#include "record.h"

namespace truefork::fork {

void prepare_at_load() {
  prepare_record();
  track_heap();
}

const char* why_not_all_threads() { return "this platform can't give a child its parent's threads"; }

fork_outcome fork_all(bool /*share_rings*/, const std::vector<int>& /*debugger_sockets*/) {
  return {-ENOSYS, "fork", 0};
}

std::vector<unrebuilt_descriptor> unrebuilt_descriptors() { return {}; }

int block_in_other_threads(const sigset_t& /*signals*/) { return 0; }

// What a child inherits here is shared in any case.
void share_pipe(int /*fd*/) {}

}  // namespace truefork::fork
