// Conditions and events in memory that processes share. Nothing here sleeps: see shared_lock.h.
#ifndef TRUEFORK_POSIX_SHARED_CONDITION_H_
#define TRUEFORK_POSIX_SHARED_CONDITION_H_

#include "shared_lock.h"
#include "shared_waiters.h"

namespace truefork::posix {

// Whoever notifies, or begins or ends a wait, holds the condition's lock, which is an object of its own.
struct shared_condition {
  static constexpr size_t most_waiters = 1020;

  shared_header header;
  std::atomic<uint32_t> next_ticket;
  uint32_t unused[13];
  waiting_place places[most_waiters];

  waiting_places waiters() noexcept { return {places, most_waiters}; }
};
static_assert(offsetof(shared_condition, places) == 64);

int make_condition(shared_block& block);
// The place of a waiter, or -EAGAIN.
int begin_wait(shared_condition& condition) noexcept;
// Whether it has been told. `index`: its place; the copy of a waiter in a child gets one of its own here.
bool is_told(shared_condition& condition, int& index) noexcept;
// It has been told, or waits no more. Whether it was told.
bool end_wait(shared_condition& condition, int index) noexcept;
// Tells so many of those that wait, the longest first. How many there were.
uint32_t notify(shared_condition& condition, uint32_t count) noexcept;

struct shared_event {
  static constexpr uint32_t is_set = 1;

  shared_header header;
  // Whether it is set, and how often it has been, so that nobody sleeps through a short while of it.
  std::atomic<uint32_t> word;
};

int make_event(shared_block& block);
void set_event(shared_event& event) noexcept;
void clear_event(shared_event& event) noexcept;
// `since`: the word as the wait began.
attempt look_at_event(const shared_event& event, uint32_t since) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SHARED_CONDITION_H_
