// What Node changed in this process for itself and a new program shouldn't inherit.
#ifndef TRUEFORK_POSIX_RUNTIME_STATE_H_
#define TRUEFORK_POSIX_RUNTIME_STATE_H_

#include <signal.h>
#include <termios.h>

namespace truefork {

// The signal mask that a new program of this thread's starts with: what the user blocked, and nothing of the runtime's.
sigset_t program_mask() noexcept;
// Changes it as sigprocmask(2) does a mask.
void change_program_mask(int how, const sigset_t& signals) noexcept;

// Puts the runtime's changes back for an exec, and takes them up again when the exec has failed. Signals are
// blocked in between, so that nothing is delivered under half a change. Neither allocates nor throws.
class runtime_state {
 public:
  void give_back() noexcept;
  void take_up_again() noexcept;

 private:
  static constexpr int stdio_count = 3;

  void give_back_stdio() noexcept;
  void give_back_signals() noexcept;

  sigset_t mask_{};
  sigset_t ignored_{};
  int descriptor_flags_[stdio_count]{};
  int status_flags_[stdio_count]{};
  bool has_mode_[stdio_count]{};
  termios mode_[stdio_count]{};
};

}  // namespace truefork

#endif  // TRUEFORK_POSIX_RUNTIME_STATE_H_
