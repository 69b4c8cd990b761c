// Linux: which system calls this kernel has and lets this process use, each tried with arguments that change nothing.
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "../posix/result.h"
#include "platform.h"

namespace truefork::platform {

namespace {

// Younger than the oldest headers we build with; the same on every processor.
constexpr long sys_pidfd_open = 434;
constexpr long sys_clone3 = 435;
constexpr long sys_close_range = 436;
constexpr long sys_io_uring_setup = 425;

// 0 for a descriptor, which is closed again.
int given_back(long fd) noexcept {
  if (fd < 0) return -errno;
  close(static_cast<int>(fd));
  return 0;
}

// 0 where a call finds its arguments wrong, as it must: it is there.
int refused(long result, int expected) noexcept {
  const int failure = result < 0 ? errno : 0;
  return failure == expected ? 0 : -failure;
}

int open_file(const char* path) noexcept { return given_back(open(path, O_RDONLY | O_CLOEXEC)); }

int read_own_memory() noexcept {
  int from = 1;
  int to = 0;
  const iovec local{&to, sizeof to};
  const iovec remote{&from, sizeof from};
  return syscall(SYS_process_vm_readv, getpid(), &local, 1UL, &remote, 1UL, 0UL) < 0 ? -errno : 0;
}

int ask_tid_address() noexcept {
  int* address = nullptr;
  return from_errno(prctl(PR_GET_TID_ADDRESS, &address));
}

}  // namespace

void try_calls(std::vector<probe>& probes) {
  const auto self = static_cast<long>(getpid());
  probes = {
      {"/proc/self/task", open_file("/proc/self/task")},
      {"/proc/self/pagemap", open_file("/proc/self/pagemap")},
      {"PR_GET_TID_ADDRESS", ask_tid_address()},
      {"memfd_create", given_back(syscall(SYS_memfd_create, "truefork-probe", 1U))},
      {"pidfd_open", given_back(syscall(sys_pidfd_open, self, 0U))},
      {"clone3", refused(syscall(sys_clone3, nullptr, 0UL), EINVAL)},
      {"close_range", refused(syscall(sys_close_range, UINT_MAX, 0U, 0U), EINVAL)},
      {"kcmp", static_cast<int>(from_errno(syscall(SYS_kcmp, self, self, KCMP_VM, 0UL, 0UL)))},
      {"process_vm_readv", read_own_memory()},
      {"userfaultfd", given_back(syscall(SYS_userfaultfd, O_CLOEXEC))},
      {"io_uring_setup", refused(syscall(sys_io_uring_setup, 1U, nullptr), EFAULT)},
  };
}

}  // namespace truefork::platform
