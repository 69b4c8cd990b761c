#include "threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

#include "quiet.h"

extern "C" {
int truefork_save_registers(truefork::fork::thread_registers* registers) __attribute__((returns_twice));
long truefork_clone_thread(unsigned long flags, int* parent_tid, int* child_tid, uint64_t tls,
                           const truefork::fork::thread_registers* registers);
void truefork_restore_signal();
}

namespace truefork::fork {

namespace {

using quiet::call;
using quiet::system_call;

// glibc's SIGCANCEL: libc never lets it be blocked, while Node's inspector and signal threads block all others.
constexpr int stop_signal = 32;
constexpr size_t kernel_sigset_size = 8;
constexpr int64_t patience = 2'000'000;  // nanoseconds between looks for threads that have ended

// The stop under way, for the handler.
thread_table* current_table;
kernel_sigaction previous_action;

// What the signal carries: a slot, and the stop that it belongs to. A thread that was too slow for an earlier stop
// must not take another's slot.
uint64_t ticket(uint32_t generation, size_t slot) noexcept { return uint64_t{generation} << 32 | slot; }

bool is_ours(const siginfo_t* info) noexcept {
  return current_table != nullptr && info->si_code == SI_QUEUE && info->si_pid == current_table->process;
}

thread_slot* slot_of(const siginfo_t* info) noexcept {
  const auto value = reinterpret_cast<uint64_t>(info->si_value.sival_ptr);
  const size_t index = value & 0xffffffff;
  return value == ticket(current_table->generation, index) ? &current_table->slots[index] : nullptr;
}

void note_thread(thread_slot& slot, const void* context) noexcept {
  slot.stopped_at = static_cast<const ucontext_t*>(context);
  slot.thread_pointer = quiet::thread_pointer();
  system_call(SYS_prctl, PR_GET_TID_ADDRESS, (long)&slot.tid_address);
  system_call(SYS_get_robust_list, 0, (long)&slot.robust_list, (long)&slot.robust_list_size);
  system_call(SYS_prctl, PR_GET_NAME, (long)slot.name);
  slot.affinity_size = system_call(SYS_sched_getaffinity, 0, sizeof slot.affinity, (long)slot.affinity);
  system_call(SYS_sched_getattr, 0, (long)&slot.schedule, sizeof slot.schedule, 0);
}

// Each thread that passes wakes the next: were all woken at once, they would keep the forking thread from its
// processor.
void wait_at_gate(thread_table& table, uint32_t generation) noexcept {
  for (;;) {
    const uint32_t open = quiet::load(table.gate);
    if (static_cast<int32_t>(open - generation) >= 0) break;
    quiet::futex_wait(&table.gate, open);
  }
  quiet::futex_wake_one(&table.gate);
}

// In the child, on the new thread itself: what clone(2) doesn't copy from the thread that it stands for.
void restore_thread(const thread_table& table, const thread_slot& slot) noexcept {
  system_call(SYS_set_robust_list, (long)slot.robust_list, static_cast<long>(slot.robust_list_size));
  system_call(SYS_prctl, PR_SET_NAME, (long)slot.name);
  if (slot.affinity_size > 0) {
    system_call(SYS_sched_setaffinity, 0, slot.affinity_size, (long)slot.affinity);
  }
  system_call(SYS_sched_setattr, 0, (long)&slot.schedule, 0);
  if (table.rseq_size != 0) {
    // struct rseq begins with cpu_id_start and cpu_id, which the kernel writes anew; rseq(2), glibc 2.35.
    const uint64_t area = slot.thread_pointer + static_cast<uint64_t>(table.rseq_offset);
    system_call(SYS_rseq, static_cast<long>(area), table.rseq_size, 0, quiet::rseq_signature);
  }
}

void on_stop(int signal, siginfo_t* info, void* context) noexcept {
  if (!is_ours(info)) {  // a pthread_cancel(3)
    const auto previous = previous_action.handler;
    if (previous != nullptr && reinterpret_cast<uintptr_t>(previous) != 1) previous(signal, info, context);
    return;
  }
  thread_slot* const slot = slot_of(info);
  if (slot == nullptr) return;
  thread_table& table = *current_table;
  const uint32_t generation = table.generation;
  note_thread(*slot, context);
  if (truefork_save_registers(&slot->registers) == 0) {
    quiet::store(slot->state, static_cast<uint32_t>(slot_state::stopped));
    const uint32_t arrived = __atomic_add_fetch(&table.arrived, 1, __ATOMIC_SEQ_CST);
    if (arrived >= __atomic_load_n(&table.expected, __ATOMIC_SEQ_CST)) quiet::futex_wake_all(&table.arrived);
    wait_at_gate(table, generation);
  } else {
    wait_at_gate(*current_table, current_table->generation);
    restore_thread(*current_table, *slot);
  }
  quiet::store(slot->state, static_cast<uint32_t>(slot_state::free));
}

// At each stop: libc sets its own handler at the first pthread_cancel(3).
int install_handler() noexcept {
  const kernel_sigaction action{on_stop, SA_SIGINFO | SA_RESTART | SA_ONSTACK | quiet::sa_restorer,
                                truefork_restore_signal, ~uint64_t{0}};
  kernel_sigaction previous{};
  const long failure = system_call(SYS_rt_sigaction, stop_signal, (long)&action, (long)&previous, kernel_sigset_size);
  if (failure == 0 && previous.handler != on_stop) previous_action = previous;
  return static_cast<int>(failure);
}

thread_slot* find_slot(thread_table& table, pid_t tid) noexcept {
  for (size_t i = 0; i < table.count; ++i) {
    thread_slot& slot = table.slots[i];
    if (slot.tid == tid && slot.state != static_cast<uint32_t>(slot_state::gone)) return &slot;
  }
  return nullptr;
}

// Signals a thread that isn't known yet. 0, 1 if it was new, or a negative error number.
int signal_thread(thread_table& table, pid_t tid) noexcept {
  if (tid == table.self || find_slot(table, tid) != nullptr) return 0;
  if (table.count == table.capacity) return -ENOSPC;
  thread_slot& slot = table.slots[table.count];
  slot = {};
  slot.tid = tid;
  slot.state = static_cast<uint32_t>(slot_state::signalled);
  ++table.count;
  siginfo_t info{};
  info.si_signo = stop_signal;
  info.si_code = SI_QUEUE;
  info.si_pid = table.process;
  info.si_value.sival_ptr = reinterpret_cast<void*>(ticket(table.generation, table.count - 1));
  const long outcome = system_call(SYS_rt_tgsigqueueinfo, table.process, tid, stop_signal, (long)&info);
  if (outcome == -ESRCH) {  // it has ended since
    slot.state = static_cast<uint32_t>(slot_state::gone);
    return 0;
  }
  if (outcome < 0) {
    slot.state = static_cast<uint32_t>(slot_state::gone);
    return static_cast<int>(outcome);
  }
  __atomic_add_fetch(&table.expected, 1, __ATOMIC_SEQ_CST);
  return 1;
}

// Signals every thread that /proc lists and isn't known. The number of new ones, or a negative error number.
int signal_new_threads(thread_table& table, int tasks) noexcept {
  alignas(8) char buffer[4096]{};
  int found = 0;
  system_call(SYS_lseek, tasks, 0, SEEK_SET);
  for (;;) {
    const long size = call(SYS_getdents64, tasks, buffer, sizeof buffer);
    if (size < 0) return static_cast<int>(size);
    if (size == 0) return found;
    for (long at = 0; at < size;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      if (entry->d_name[0] == '.') continue;
      const char* name = entry->d_name;
      const int outcome = signal_thread(table, static_cast<pid_t>(quiet::parse_number(name)));
      if (outcome < 0) return outcome;
      found += outcome;
    }
  }
}

// Threads of the kernel's own (io_uring's iou-wrk-* and iou-sqp-*) are listed with the others and never handle a
// signal. They belong to no code of this process.
bool is_kernel_worker(pid_t tid) noexcept {
  char path[64];
  char text[512];
  char* end = quiet::format_decimal(quiet::format_text(path, "/proc/self/task/"), static_cast<uint64_t>(tid));
  quiet::format_text(end, "/stat");
  const long file = call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const long size = call(SYS_read, file, text, sizeof text - 1);
  system_call(SYS_close, file);
  if (size <= 0) return false;
  text[size] = '\0';
  // The flags are the seventh field after the name, which may itself hold spaces and brackets; proc_pid_stat(5).
  const char* at = text + size;
  while (at > text && *at != ')') --at;
  for (int field = 0; field < 7 && *at != '\0'; ++field) {
    while (*at != '\0' && *at != ' ') ++at;
    while (*at == ' ') ++at;
  }
  constexpr uint64_t io_worker = 0x10;      // PF_IO_WORKER
  constexpr uint64_t user_worker = 0x4000;  // PF_USER_WORKER, Linux 6.4
  return (quiet::parse_number(at) & (io_worker | user_worker)) != 0;
}

// The first thread that was signalled and has neither stopped nor ended, or null.
thread_slot* find_running(thread_table& table, bool look_for_ended) noexcept {
  for (size_t i = 0; i < table.count; ++i) {
    thread_slot& slot = table.slots[i];
    if (quiet::load(slot.state) != static_cast<uint32_t>(slot_state::signalled)) continue;
    if (look_for_ended && system_call(SYS_tgkill, table.process, slot.tid, 0) == -ESRCH) {
      slot.state = static_cast<uint32_t>(slot_state::gone);
      continue;
    }
    if (look_for_ended && is_kernel_worker(slot.tid)) {
      slot.state = static_cast<uint32_t>(slot_state::of_kernel);
      continue;
    }
    return &slot;
  }
  return nullptr;
}

stop_outcome wait_for_stops(thread_table& table, int64_t deadline) noexcept {
  bool look_for_ended = false;
  for (;;) {
    const uint32_t arrived = quiet::load(table.arrived);
    const thread_slot* const running = find_running(table, look_for_ended);
    if (running == nullptr) return {};
    if (quiet::now_nanoseconds() > deadline) return {-ETIMEDOUT, running->tid};
    const timespec timeout{0, patience};
    quiet::futex_wait(&table.arrived, arrived, &timeout);
    look_for_ended = quiet::load(table.arrived) == arrived;
  }
}

// A thread of the last stop that hasn't been on a processor since still needs its slot. 0, or its tid after `deadline`.
pid_t wait_for_free_slots(const thread_table& table, int64_t deadline) noexcept {
  for (size_t i = 0; i < table.count; ++i) {
    const thread_slot& slot = table.slots[i];
    while (quiet::load(slot.state) == static_cast<uint32_t>(slot_state::stopped)) {
      if (quiet::now_nanoseconds() > deadline) return slot.tid;
      const timespec moment{0, 20'000};
      system_call(SYS_nanosleep, (long)&moment, 0);
    }
  }
  return 0;
}

}  // namespace

bool can_catch_stop_signal() noexcept {
  kernel_sigaction present{};
  return system_call(SYS_rt_sigaction, stop_signal, 0, (long)&present, kernel_sigset_size) == 0;
}

stop_outcome stop_threads(thread_table& table, int64_t limit_nanoseconds) noexcept {
  const int64_t deadline = quiet::now_nanoseconds() + limit_nanoseconds;
  if (const pid_t late = wait_for_free_slots(table, deadline)) return {-ETIMEDOUT, late};
  table.count = 0;
  table.arrived = 0;
  table.expected = 0;
  ++table.generation;
  table.process = static_cast<pid_t>(system_call(SYS_getpid));
  table.self = static_cast<pid_t>(system_call(SYS_gettid));
  current_table = &table;
  const int tasks = static_cast<int>(call(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (tasks < 0) return {tasks, 0};
  stop_outcome outcome{install_handler(), 0};
  while (outcome.failure == 0) {
    // A stopped thread makes no new ones: once a look finds nothing new and all have stopped, that's all.
    const int found = signal_new_threads(table, tasks);
    if (found < 0) outcome.failure = found;
    if (found <= 0) break;
    outcome = wait_for_stops(table, deadline);
  }
  system_call(SYS_close, tasks);
  if (outcome.failure != 0) release_threads(table);
  return outcome;
}

void release_threads(thread_table& table) noexcept {
  quiet::store(table.gate, table.generation);
  quiet::futex_wake_one(&table.gate);
}

int revive_threads(const thread_table& table) noexcept {
  constexpr unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                  CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  for (size_t i = 0; i < table.count; ++i) {
    const thread_slot& slot = table.slots[i];
    if (slot.state != static_cast<uint32_t>(slot_state::stopped)) continue;
    const long tid =
        truefork_clone_thread(flags, slot.tid_address, slot.tid_address, slot.thread_pointer, &slot.registers);
    if (tid < 0) return static_cast<int>(tid);
  }
  return 0;
}

}  // namespace truefork::fork
