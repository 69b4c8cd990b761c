// Sleeping on a word of memory that processes share: linux_futex.cc and darwin_futex.cc. Every function returns a value
// >= 0 or a negative error number.
#ifndef TRUEFORK_PLATFORM_FUTEX_H_
#define TRUEFORK_PLATFORM_FUTEX_H_

#include <cstddef>
#include <cstdint>

namespace truefork::platform {

// Sleeps until somebody wakes this word, if it holds `expected`; at most so many milliseconds. May end for nothing,
// too: who calls it looks again.
void futex_wait(uint32_t* word, uint32_t expected, uint32_t milliseconds) noexcept;

// Wakes so many of those that sleep on the word, in whatever process.
void futex_wake(uint32_t* word, uint32_t count) noexcept;

struct futex_watch {
  uint32_t* word;
  uint32_t expected;
};

// So many words can be slept on at once; 0: one alone, so that nothing can watch for others' sake.
size_t most_futexes() noexcept;

// Sleeps until one of these words is woken or holds another value; at most so many milliseconds, or without end (-1).
void futex_wait_any(const futex_watch* watches, size_t count, int milliseconds) noexcept;

// How the calling thread is shown by ps(1) and debuggers; 15 characters.
void name_thread(const char* name) noexcept;

}  // namespace truefork::platform

#endif  // TRUEFORK_PLATFORM_FUTEX_H_
