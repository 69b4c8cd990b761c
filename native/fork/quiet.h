// For code that may touch nothing but prepared memory and the kernel: between the stop of the first thread and
// the release of the last, any lock may be held by a thread that doesn't run. No libc, no malloc, no V8, no
// exceptions. scripts/check-quiet.mjs holds the object files to it.
#ifndef TRUEFORK_FORK_QUIET_H_
#define TRUEFORK_FORK_QUIET_H_

#include <linux/futex.h>
#include <sys/syscall.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#include "machine_x86_64.h"
#elif defined(__aarch64__)
#include "machine_aarch64.h"
#endif

namespace truefork::quiet {

// For what looks into memory that isn't ours, other threads' stacks and shadow memory among it: AddressSanitizer
// would call that a mistake, or trip over its own shadow.
#define TRUEFORK_READS_ANY_MEMORY __attribute__((no_sanitize("address")))

// What lies at an address, aligned or not. Not by memcpy, as that would be checked after all.
template <typename Value>
struct __attribute__((packed, may_alias)) anywhere {
  Value value;
};

template <typename Value>
TRUEFORK_READS_ANY_MEMORY inline Value read_at(uint64_t address) noexcept {
  return reinterpret_cast<const anywhere<Value>*>(address)->value;
}

template <typename Value>
TRUEFORK_READS_ANY_MEMORY inline void write_at(uint64_t address, const Value& value) noexcept {
  reinterpret_cast<anywhere<Value>*>(address)->value = value;
}

// Has 128 bytes brought nearer; never a fault, wherever the address may lie.
inline void prefetch(uint64_t address) noexcept {
  __builtin_prefetch(reinterpret_cast<const void*>(address));
  __builtin_prefetch(reinterpret_cast<const void*>(address + 64));
}

// Retries what a signal interrupted; of close(2) the caller must keep away.
template <typename... Arguments>
inline long call(long number, Arguments... arguments) noexcept {
  for (;;) {
    const long result = system_call(number, (long)(arguments)...);
    if (result != -EINTR) return result;
  }
}

// Futexes of this process's own threads, unless `shared` with its child through MAP_SHARED memory.
inline void futex_wait(uint32_t* word, uint32_t value, const timespec* timeout = nullptr,
                       bool shared = false) noexcept {
  system_call(SYS_futex, (long)word, shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, value, (long)timeout);
}

inline void futex_wake_all(uint32_t* word, bool shared = false) noexcept {
  system_call(SYS_futex, (long)word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, INT_MAX);
}

inline void futex_wake_one(uint32_t* word) noexcept { system_call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1); }

inline uint32_t load(const uint32_t& word) noexcept { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }
inline void store(uint32_t& word, uint32_t value) noexcept { __atomic_store_n(&word, value, __ATOMIC_RELEASE); }

inline int64_t now_nanoseconds() noexcept {
  timespec time{};
  system_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time);  // not the vDSO: that needs a symbol of libc's
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

inline bool starts_with(const char* text, const char* prefix) noexcept {
  while (*prefix != '\0') {
    if (*text++ != *prefix++) return false;
  }
  return true;
}

// Writes `value` in decimal with a null at the end; returns where the null stands.
inline char* format_decimal(char* out, uint64_t value) noexcept {
  char digits[20];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  while (count > 0) *out++ = digits[--count];
  *out = '\0';
  return out;
}

inline char* format_text(char* out, const char* text) noexcept {
  while (*text != '\0') *out++ = *text++;
  *out = '\0';
  return out;
}

// Reads an unsigned number at `text` and moves it past. Base 0: hexadecimal, with its 0x.
inline uint64_t parse_number(const char*& text, unsigned base = 10) noexcept {
  uint64_t value = 0;
  if (base == 0) {
    text += 2;
    base = 16;
  }
  for (;; ++text) {
    const auto c = static_cast<unsigned char>(*text | 0x20);
    unsigned digit;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (base == 16 && c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else {
      return value;
    }
    value = value * base + digit;
  }
}

}  // namespace truefork::quiet

#endif  // TRUEFORK_FORK_QUIET_H_
