#include "shared_barrier.h"

#include <algorithm>
#include <new>

#include "../platform/futex.h"

namespace truefork::posix {

namespace {

// Tells all that have come, whatever they do there.
void tell_all(shared_barrier& barrier, waiting_place::state how) noexcept {
  for (waiting_place& place : barrier.waiters()) {
    if (place.is_waiting() && place.ticket == barrier.generation.load()) place.tell(how);
  }
  barrier.count = 0;
  barrier.generation.fetch_add(1);
  platform::futex_wake(reinterpret_cast<uint32_t*>(&barrier.generation), UINT32_MAX);
}

void break_guarded(shared_barrier& barrier) noexcept {
  barrier.is_broken = 1;
  tell_all(barrier, waiting_place::refused);
}

// The barrier's state is this one's alone. It was left in the midst of a change where its owner has died: then it is
// broken.
class guarded {
 public:
  explicit guarded(shared_barrier& barrier) noexcept : barrier_(barrier) {
    constexpr uint32_t pause = 10;  // milliseconds
    patience waited{};
    attempt taken = barrier.guard.take(waited, platform::own_thread());
    while (taken.what == attempt::outcome::busy) {
      platform::futex_wait(barrier.guard.word(), taken.observed, pause);
      waited = {true, true};
      taken = barrier.guard.take(waited, platform::own_thread());
    }
    if (taken.what == attempt::outcome::owner_died) break_guarded(barrier);
  }
  ~guarded() { barrier_.guard.release(); }
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;

 private:
  thread_in_shared_memory here_;
  shared_barrier& barrier_;
};

bool has_dead_party(shared_barrier& barrier) noexcept {
  const waiting_places places = barrier.waiters();
  return std::any_of(places.begin(), places.end(), [&barrier](const waiting_place& place) {
    const platform::thread_mark owner = place.owner.load();
    const bool has_come = place.is_waiting() && place.ticket == barrier.generation.load();
    return has_come && owner != 0 && platform::has_ended(owner);
  });
}

}  // namespace

waiting_places shared_barrier::waiters() noexcept { return {reinterpret_cast<waiting_place*>(this + 1), most_places}; }

int make_barrier(uint32_t parties, shared_block& block) {
  // Those of the last round may not have gone yet.
  const uint32_t places = 2 * parties + 16;
  const int failure = allocate_shared(sizeof(shared_barrier) + places * sizeof(waiting_place), block);
  if (failure != 0) return failure;
  auto* const barrier = new (block.data()) shared_barrier{};
  barrier->header = {shared_magic, shared_kind::barrier};
  barrier->parties = parties;
  barrier->most_places = places;
  return 0;
}

arrival arrive(shared_barrier& barrier) noexcept {
  const guarded here(barrier);
  const uint32_t generation = barrier.generation.load();
  if (barrier.is_broken != 0) return {arrival::outcome::is_broken};
  if (barrier.count == barrier.parties) return {arrival::outcome::is_full, 0, 0, generation};
  const int place = barrier.waiters().enter(generation);
  if (place < 0) return {arrival::outcome::is_full, 0, 0, generation};
  const uint32_t index = barrier.count++;
  const bool is_last = barrier.count == barrier.parties;
  return {is_last ? arrival::outcome::is_last : arrival::outcome::waits, place, index, generation};
}

uint32_t look_at_barrier(shared_barrier& barrier, int place, uint32_t generation, bool looks_for_dead) noexcept {
  const guarded here(barrier);
  if (looks_for_dead && barrier.generation.load() == generation && has_dead_party(barrier)) break_guarded(barrier);
  const waiting_place& own = barrier.waiters()[static_cast<size_t>(place)];
  // A child's copy of a party waits for its parent's sake, who may have gone on.
  return own.ticket == generation ? own.what.load() : uint32_t{waiting_place::told};
}

uint32_t leave_barrier(shared_barrier& barrier, int place, uint32_t generation) noexcept {
  const guarded here(barrier);
  waiting_place& own = barrier.waiters()[static_cast<size_t>(place)];
  if (own.owner.load() != platform::own_thread() || own.ticket != generation) return waiting_place::told;
  if (own.is_waiting()) break_guarded(barrier);
  const uint32_t told = own.what.load();
  own.leave();
  return told;
}

bool open_barrier(shared_barrier& barrier, int place, uint32_t generation) noexcept {
  const guarded here(barrier);
  const bool is_open = barrier.generation.load() == generation;
  if (is_open) tell_all(barrier, waiting_place::told);
  barrier.waiters()[static_cast<size_t>(place)].leave();
  return is_open;
}

void break_barrier(shared_barrier& barrier) noexcept {
  const guarded here(barrier);
  break_guarded(barrier);
}

void reset_barrier(shared_barrier& barrier) noexcept {
  const guarded here(barrier);
  tell_all(barrier, waiting_place::refused);
  barrier.is_broken = 0;
}

}  // namespace truefork::posix
