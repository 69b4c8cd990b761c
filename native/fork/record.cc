#include "record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "quiet.h"
#include "threads.h"

namespace truefork::fork {

namespace {

using quiet::system_call;

constexpr unsigned close_on_exec = 1;  // MFD_CLOEXEC

fork_record* record = nullptr;

// While a record is written, a former tid that still leads to a thread of the parent has that one's number as a
// negative. Whatever is left so at the end leads to none.
void look_back() noexcept {
  for (uint32_t i = 0; i < record->former_count; ++i) record->former[i].tid_here = -record->former[i].tid_here;
}

void follow_former(pid_t tid, pid_t tid_here) noexcept {
  for (uint32_t i = 0; i < record->former_count; ++i) {
    former_tid& former = record->former[i];
    if (former.tid_here == -tid) former.tid_here = tid_here;
  }
}

void forget_unfollowed() noexcept {
  for (uint32_t i = 0; i < record->former_count; ++i) {
    if (record->former[i].tid_here < 0) record->former[i].tid_here = 0;
  }
}

void add_former(pid_t tid, pid_t tid_here) noexcept {
  for (uint32_t i = 0; i < record->former_count; ++i) {
    if (record->former[i].tid != tid) continue;
    record->former[i].tid_here = tid_here;  // the kernel has used the number again
    return;
  }
  if (record->former_count < fork_record::most_former) {
    record->former[record->former_count++] = {tid, tid_here};
  } else {
    ++record->former_lost;
  }
}

}  // namespace

void prepare_record() noexcept {
  if (record != nullptr) return;
  // A file without a path: its name is seen by /proc on every kernel, and fork(2) copies what is mapped privately.
  const long file = quiet::call(SYS_memfd_create, record_name, close_on_exec);
  if (file < 0) return;
  constexpr long size = sizeof(fork_record);
  long address = quiet::call(SYS_ftruncate, file, size);
  if (address == 0) address = system_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  system_call(SYS_close, file);
  if (address < 0 && address > -4096) return;
  auto* const made = reinterpret_cast<fork_record*>(address);
  quiet::format_text(made->magic, fork_record::mark);
  made->layout = fork_record::this_layout;
  made->process = static_cast<pid_t>(system_call(SYS_getpid));
  record = made;
}

void begin_record(pid_t parent, kept_threads kept) noexcept {
  if (record == nullptr) return;
  record->process = 0;
  record->parent = parent;
  record->kept = kept;
  record->thread_count = 0;
  record->lock_count = 0;
  look_back();
  timespec now{};
  system_call(SYS_clock_gettime, CLOCK_REALTIME, (long)&now);
  record->time = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void note_thread(pid_t tid, pid_t tid_here, const char* name) noexcept {
  if (record == nullptr) return;
  follow_former(tid, tid_here);
  add_former(tid, tid_here);
  const uint32_t index = record->thread_count++;
  if (index >= fork_record::most_threads) return;
  noted_thread& noted = record->threads[index];
  noted.tid = tid;
  noted.tid_here = tid_here;
  size_t at = 0;
  for (; name[at] != '\0' && at < sizeof noted.name - 1; ++at) noted.name[at] = name[at];
  noted.name[at] = '\0';
}

void note_lock(uint64_t address, lock_kind kind, pid_t tid, pid_t tid_here) noexcept {
  if (record == nullptr) return;
  const uint32_t index = record->lock_count++;
  if (index < fork_record::most_locks) record->locks[index] = {address, tid, tid_here, kind, 0};
}

void end_record() noexcept {
  if (record == nullptr) return;
  forget_unfollowed();
  __atomic_store_n(&record->process, static_cast<pid_t>(system_call(SYS_getpid)), __ATOMIC_RELEASE);
}

void note_threads(const thread_table& threads) noexcept {
  char name[16] = "";
  system_call(SYS_prctl, PR_GET_NAME, (long)name);
  note_thread(threads.self, static_cast<pid_t>(system_call(SYS_gettid)), name);
  for (size_t i = 0; i < threads.count; ++i) {
    const thread_slot& slot = threads.slots[i];
    if (slot.state != static_cast<uint32_t>(slot_state::stopped)) continue;
    note_thread(slot.tid, *slot.tid_address, slot.name);
  }
}

}  // namespace truefork::fork
