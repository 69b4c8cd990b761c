// Memory that processes share, and threads as other processes know them: linux_shared_memory.cc,
// darwin_shared_memory.cc.
#ifndef TRUEFORK_PLATFORM_SHARED_MEMORY_H_
#define TRUEFORK_PLATFORM_SHARED_MEMORY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace truefork::platform {

// A nameless file of zeroes, FD_CLOEXEC, for mmap(2) with MAP_SHARED. A descriptor, or a negative error number.
int open_shared_memory(size_t size) noexcept;

// A thread by a number that no other thread has had, so that a later one of the same tid isn't taken for it. The low 30
// bits are never 0 and differ between all threads that are alive. On Linux they are the tid, and the rest tells when
// the thread began and in which pid namespace.
using thread_mark = uint64_t;
constexpr uint32_t thread_number_mask = 0x3fffffff;

thread_mark own_thread() noexcept;

// The process that this thread belongs to, by its main thread's mark.
thread_mark own_process() noexcept;
pid_t pid_of(thread_mark process) noexcept;

// True only if that is certain: false for a thread of another pid namespace, or where /proc doesn't tell.
bool has_ended(thread_mark thread) noexcept;

}  // namespace truefork::platform

#endif  // TRUEFORK_PLATFORM_SHARED_MEMORY_H_
