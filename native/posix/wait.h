// wait(2), waitpid(2), wait3(2), wait4(2), waitid(2), without ever reaping a child of Node's own.
#ifndef TRUEFORK_POSIX_WAIT_H_
#define TRUEFORK_POSIX_WAIT_H_

#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <vector>

namespace truefork::posix {

// Pids that somebody else waits for: node:child_process, on this thread's event loop, and what children::keep() has.
using pid_list = std::vector<pid_t>;

struct wait_outcome {
  pid_t pid = 0;  // 0: WNOHANG and nothing to report; negative: an error number
  int status = 0;
  rusage usage{};
};

// A wait for any child means the children of the calling thread where the system tells them apart (Linux),
// and those made by this package elsewhere; a pid means that child, unless it is Node's.
wait_outcome wait4(pid_t pid, int options, const pid_list& reserved);

// Whether a child that is kept has ended: its pid, and it is reaped; 0, or a negative error number.
pid_t reap_kept(pid_t pid, int& status);

// Returns 0 or a negative error number; `info.si_pid` is 0 where WNOHANG found nothing.
int waitid(idtype_t type, id_t id, siginfo_t& info, int options, const pid_list& reserved);

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_WAIT_H_
