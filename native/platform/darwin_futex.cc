// macOS: os_sync_wait_on_address(3) since 14.4, looked for in the library that is there; before that the system calls
// below it, which have no header but are what libc++ has built on since 10.12. Compiled by scripts/check-darwin.mjs,
// never run by our own machines.
#include <dlfcn.h>
#include <pthread.h>

#include <cstdint>

#include "futex.h"

extern "C" int __ulock_wait(uint32_t operation, void* address, uint64_t value, uint32_t microseconds);
extern "C" int __ulock_wake(uint32_t operation, void* address, uint64_t value);

namespace truefork::platform {

namespace {

constexpr uint32_t compare_and_wait_shared = 3;  // UL_COMPARE_AND_WAIT_SHARED
constexpr uint32_t wake_all = 0x100;             // ULF_WAKE_ALL
constexpr uint32_t flag_shared = 1;              // OS_SYNC_{WAIT_ON,WAKE_BY}_ADDRESS_SHARED
constexpr uint32_t absolute_time = 32;           // OS_CLOCK_MACH_ABSOLUTE_TIME

using wait_function = int(void* address, uint64_t value, size_t size, uint32_t flags, uint32_t clock,
                          uint64_t nanoseconds);
using wake_function = int(void* address, size_t size, uint32_t flags);

template <typename Function>
Function* find(const char* name) noexcept {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

struct wait_on_address {
  wait_function* wait = find<wait_function>("os_sync_wait_on_address_with_timeout");
  wake_function* wake_one = find<wake_function>("os_sync_wake_by_address_any");
  wake_function* wake_everyone = find<wake_function>("os_sync_wake_by_address_all");

  bool is_there() const noexcept { return wait != nullptr && wake_one != nullptr && wake_everyone != nullptr; }
};

const wait_on_address& published() noexcept {
  static const wait_on_address functions;
  return functions;
}

}  // namespace

void futex_wait(uint32_t* word, uint32_t expected, uint32_t milliseconds) noexcept {
  if (milliseconds == 0) return;  // to either 0 means no limit, or is refused
  if (published().is_there()) {
    published().wait(word, expected, sizeof *word, flag_shared, absolute_time, uint64_t{milliseconds} * 1'000'000);
  } else {
    __ulock_wait(compare_and_wait_shared, word, expected, milliseconds * 1000);
  }
}

void futex_wake(uint32_t* word, uint32_t count) noexcept {
  if (published().is_there()) {
    (count == 1 ? published().wake_one : published().wake_everyone)(word, sizeof *word, flag_shared);
  } else {
    __ulock_wake(compare_and_wait_shared | (count == 1 ? 0 : wake_all), word, 0);
  }
}

// Nothing here sleeps on several words.
size_t most_futexes() noexcept { return 0; }
void futex_wait_any(const futex_watch* /*watches*/, size_t /*count*/, int /*milliseconds*/) noexcept {}

void name_thread(const char* name) noexcept { pthread_setname_np(name); }

}  // namespace truefork::platform
