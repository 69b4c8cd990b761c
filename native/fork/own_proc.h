// /proc/self of a process that has dropped its rights.
#ifndef TRUEFORK_FORK_OWN_PROC_H_
#define TRUEFORK_FORK_OWN_PROC_H_

#include <sys/prctl.h>

namespace truefork::fork {

// After setuid(2) a process isn't dumpable, and most of its own /proc/self belongs to root; proc(5). A server that was
// started by root and no longer is must still be able to fork: it is dumpable for the moment that this lives.
class own_proc {
 public:
  own_proc() noexcept : dumpable_(prctl(PR_GET_DUMPABLE)) {
    if (dumpable_ != 1) prctl(PR_SET_DUMPABLE, 1);
  }
  ~own_proc() {
    // 2, "readable by root alone", is the kernel's to set; 0 is as strict.
    if (dumpable_ != 1) prctl(PR_SET_DUMPABLE, 0);
  }
  own_proc(const own_proc&) = delete;
  own_proc& operator=(const own_proc&) = delete;

 private:
  int dumpable_;
};

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_OWN_PROC_H_
