#include "../posix/children.h"
#include "debugger_peers.h"
#include "engine.h"
#include "fork.h"
#include "own_proc.h"

namespace truefork::fork {

fork_outcome fork_all(bool share_rings, const std::vector<int>& debugger_sockets) {
  const own_proc readable;
  int failure = 0;
  const char* step = nullptr;
  engine* const prepared = prepare_engine(failure, step);
  if (prepared == nullptr) return {failure, step, 0};

  prepared->descriptors.share_rings = share_rings;
  prepared->descriptors.debugger_endpoints.count = 0;
  for (const endpoint& listening : endpoints_of(debugger_sockets)) {
    failure = prepared->descriptors.debugger_endpoints.add(listening);
    if (failure == 0) continue;
    release_engine(*prepared);
    return {failure, "mmap", 0};
  }
  const fork_outcome outcome = fork_prepared(*prepared);

  release_engine(*prepared);
  if (outcome.pid == 0) {
    children::clear();
    tend_debugger_peers({prepared->descriptors.debugger_peers.begin(), prepared->descriptors.debugger_peers.end()});
  }
  if (outcome.pid > 0) children::add(outcome.pid);
  return outcome;
}

}  // namespace truefork::fork
