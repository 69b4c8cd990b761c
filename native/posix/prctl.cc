#include "prctl.h"

#include <signal.h>
#include <unistd.h>

#include "../platform/platform.h"
#include "result.h"

namespace truefork::posix {

namespace {

// Whose child this process was made, or was when the addon was loaded.
pid_t first_parent = ::getppid();

// 0 stands for a parent in another pid namespace, which can't be told from others; pid_namespaces(7).
bool parent_has_ended() noexcept { return first_parent != 0 && ::getppid() != 0 && ::getppid() != first_parent; }

}  // namespace

int set_parent_death_signal(int signal) noexcept {
  const int failure = platform::set_parent_death_signal(signal);
  if (failure != 0 || signal == 0) return failure;
  // A parent that ended before the call tells nobody any more.
  return parent_has_ended() ? from_errno(::kill(::getpid(), signal)) : 0;
}

int set_child_subreaper(bool on) noexcept { return platform::set_child_subreaper(on); }

void note_parent(pid_t pid) noexcept { first_parent = pid; }

}  // namespace truefork::posix
