// A signal that is blocked in one thread is delivered to another. No call changes another thread's mask; but a stopped
// thread takes its mask from its signal frame when it goes on.
#include <unistd.h>

#include <cerrno>

#include "engine.h"
#include "own_proc.h"
#include "quiet.h"

namespace truefork::fork {

namespace {

using quiet::system_call;

constexpr int64_t stop_limit = 1'000'000'000;  // nanoseconds

// What a thread does to itself, and what V8's profiler asks of the one thread that it watches.
constexpr int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};

// As the kernel has it: a bit for each signal.
uint64_t to_word(const sigset_t& signals) noexcept {
  uint64_t word = 0;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&signals, signal) == 1) word |= uint64_t{1} << (signal - 1);
  }
  for (const int signal : kept) word &= ~(uint64_t{1} << (signal - 1));
  return word;
}

// Quiet from the first stopped thread to the last that goes on.
int block_in_stopped_threads(thread_table& table, uint64_t signals) noexcept {
  const stop_outcome stopped = stop_threads(table, stop_limit);
  if (stopped.failure != 0) return stopped.failure;
  for (size_t i = 0; i < table.count; ++i) {
    const thread_slot& slot = table.slots[i];
    if (quiet::load(slot.state) != static_cast<uint32_t>(slot_state::stopped)) continue;
    // The frame lies on that thread's stack, and the kernel reads the first word of the mask alone; sigreturn(2).
    auto* const mask = const_cast<uint64_t*>(reinterpret_cast<const uint64_t*>(&slot.stopped_at->uc_sigmask));
    *mask |= signals;
  }
  release_threads(table);
  return 0;
}

}  // namespace

int block_in_other_threads(const sigset_t& signals) {
  const uint64_t word = to_word(signals);
  if (word == 0 || why_not_all_threads() != nullptr) return 0;
  const own_proc readable;
  int failure = 0;
  thread_table* const table = prepare_stop(failure);
  if (table == nullptr) return failure == -ENOENT ? 0 : failure;  // without /proc no thread can be stopped
  const uint64_t all = ~uint64_t{0};
  uint64_t mask = 0;
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&mask, sizeof all);
  // To list the threads takes a descriptor, though the program may have used up its own.
  rlimit64 own{};
  system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&own);
  const rlimit64 raised{own.rlim_max, own.rlim_max};
  system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&raised, 0);
  failure = block_in_stopped_threads(*table, word);
  system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&own, 0);
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof mask);
  return failure;
}

}  // namespace truefork::fork
