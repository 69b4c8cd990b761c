#include "../posix/children.h"
#include "engine.h"
#include "fork.h"
#include "own_proc.h"

namespace truefork::fork {

fork_outcome fork_all(bool share_rings) {
  const own_proc readable;
  int failure = 0;
  const char* step = nullptr;
  engine* const prepared = prepare_engine(failure, step);
  if (prepared == nullptr) return {failure, step, 0};

  prepared->descriptors.share_rings = share_rings;
  const fork_outcome outcome = fork_prepared(*prepared);

  release_engine(*prepared);
  if (outcome.pid == 0) children::clear();
  if (outcome.pid > 0) children::add(outcome.pid);
  return outcome;
}

}  // namespace truefork::fork
