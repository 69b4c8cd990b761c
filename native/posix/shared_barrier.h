// Barriers in memory that processes share. A party that dies while it waits breaks the barrier, as it will never come
// again. Nothing here sleeps for long: see shared_lock.h.
#ifndef TRUEFORK_POSIX_SHARED_BARRIER_H_
#define TRUEFORK_POSIX_SHARED_BARRIER_H_

#include "shared_lock.h"
#include "shared_waiters.h"

namespace truefork::posix {

struct shared_barrier {
  shared_header header;
  owned_word guard;     // held for a few instructions, around all that follows
  uint32_t zero_owner;  // see shared_lock
  uint32_t parties;
  uint32_t zero_kind;
  uint32_t count;                    // how many have come
  std::atomic<uint32_t> generation;  // how often it has let them pass, or was broken or reset
  uint32_t is_broken;
  uint32_t most_places;
  uint32_t unused[5];

  waiting_places waiters() noexcept;
};
static_assert(sizeof(shared_barrier) == 64);

constexpr uint32_t most_parties = 1U << 16U;
constexpr uint32_t shared_generation_offset = 32;

// A party at a barrier.
struct arrival {
  enum class outcome { waits, is_last, is_full, is_broken };
  outcome what;
  int place = 0;
  uint32_t index = 0;  // how many were there before
  uint32_t generation = 0;
};

int make_barrier(uint32_t parties, shared_block& block);
arrival arrive(shared_barrier& barrier) noexcept;
// What has become of one that waits: waiting_place's states. `looks_for_dead`: whether the others live.
uint32_t look_at_barrier(shared_barrier& barrier, int place, uint32_t generation, bool looks_for_dead) noexcept;
// It has been told, or waits no more; if it hasn't been told, that breaks the barrier. What it was told.
uint32_t leave_barrier(shared_barrier& barrier, int place, uint32_t generation) noexcept;
// By the last to come: lets the others pass. False: it was broken or reset meanwhile.
bool open_barrier(shared_barrier& barrier, int place, uint32_t generation) noexcept;
void break_barrier(shared_barrier& barrier) noexcept;
void reset_barrier(shared_barrier& barrier) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SHARED_BARRIER_H_
