#include "shared_waiters.h"

#include <cerrno>

#include "../platform/futex.h"

namespace truefork::posix {

void waiting_place::tell(state how) noexcept {
  what = how;
  platform::futex_wake(reinterpret_cast<uint32_t*>(&what), UINT32_MAX);
}

namespace {

bool take(waiting_place& place, platform::thread_mark present, platform::thread_mark self, uint32_t ticket) noexcept {
  if (!place.owner.compare_exchange_strong(present, self)) return false;
  place.ticket = ticket;
  place.what = waiting_place::waiting;
  return true;
}

}  // namespace

int waiting_places::enter(uint32_t ticket) noexcept {
  const platform::thread_mark self = platform::own_thread();
  for (size_t i = 0; i < count_; ++i) {
    if (take(first_[i], 0, self, ticket)) return static_cast<int>(i);
  }
  for (size_t i = 0; i < count_; ++i) {
    const platform::thread_mark present = first_[i].owner.load();
    const bool is_left = present == 0 || platform::has_ended(present);
    if (is_left && take(first_[i], present, self, ticket)) return static_cast<int>(i);
  }
  return -EAGAIN;
}

}  // namespace truefork::posix
