// Ends a test that hangs, having shown where every thread stands.
#ifndef TRUEFORK_TEST_NATIVE_WHOLE_FORK_WATCHDOG_H_
#define TRUEFORK_TEST_NATIVE_WHOLE_FORK_WATCHDOG_H_

#include <sys/types.h>

namespace whole_fork {

// A process beside the test's. Make it before there are threads.
class watchdog {
 public:
  // `patience` is how many seconds may pass between two signs of life.
  explicit watchdog(int patience);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  // A sign of life. `child` is what the test is about to wait for, 0 for nothing.
  void await(pid_t child) const;

 private:
  int sign_ = -1;
  pid_t pid_ = 0;
};

}  // namespace whole_fork

#endif  // TRUEFORK_TEST_NATIVE_WHOLE_FORK_WATCHDOG_H_
