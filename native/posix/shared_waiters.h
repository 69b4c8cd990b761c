// Those that wait for something in shared memory by name: each has a place of its own, with a word to sleep on, so that
// just so many can be told as are meant, and one that has died is passed over.
#ifndef TRUEFORK_POSIX_SHARED_WAITERS_H_
#define TRUEFORK_POSIX_SHARED_WAITERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "../platform/shared_memory.h"

namespace truefork::posix {

struct waiting_place {
  enum state : uint32_t { empty, waiting, told, refused };

  std::atomic<platform::thread_mark> owner;  // 0: the place is free
  std::atomic<uint32_t> what;                // a state; the word to sleep on
  uint32_t ticket;                           // written before `what`

  bool is_waiting() const noexcept { return what.load() == waiting; }
  void tell(state how) noexcept;
  void leave() noexcept { owner = 0; }
};
static_assert(sizeof(waiting_place) == 16);

// The places that follow an object in its block.
class waiting_places {
 public:
  waiting_places(waiting_place* first, size_t count) noexcept : first_(first), count_(count) {}

  // For the calling thread. Its index, or -EAGAIN: all are taken by waiters that live.
  int enter(uint32_t ticket) noexcept;
  waiting_place& operator[](size_t index) const noexcept { return first_[index]; }
  waiting_place* begin() const noexcept { return first_; }
  waiting_place* end() const noexcept { return first_ + count_; }

 private:
  waiting_place* first_;
  size_t count_;
};

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SHARED_WAITERS_H_
