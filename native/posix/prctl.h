// prctl(2): what a process wants of its parent and of its orphans.
#ifndef TRUEFORK_POSIX_PRCTL_H_
#define TRUEFORK_POSIX_PRCTL_H_

#include <sys/types.h>

namespace truefork::posix {

// The signal that this process gets when its parent ends; 0: none. It is raised at once if the parent has ended.
int set_parent_death_signal(int signal) noexcept;

// Whether descendants whose parent has ended become this process's children.
int set_child_subreaper(bool on) noexcept;

// Has a thread wait for the end of this process's parent, and end this process by SIGKILL then: unlike the signal, it
// outlives setuid(2), and there is one on every platform. 0 or a negative error number.
int end_with_parent(pid_t parent) noexcept;

// In a forked child: the process that forked it, and may have ended since.
void note_parent(pid_t pid) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_PRCTL_H_
