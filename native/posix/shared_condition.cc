#include "shared_condition.h"

#include <new>

#include "../platform/futex.h"

namespace truefork::posix {

namespace {

// Tickets are compared as they were given out, past their end as well.
bool is_before(uint32_t one, uint32_t other) noexcept { return static_cast<int32_t>(one - other) < 0; }

// One that has waited longer than all others that live; null: nobody waits.
waiting_place* longest_waiting(shared_condition& condition) noexcept {
  waiting_place* found = nullptr;
  for (waiting_place& place : condition.waiters()) {
    if (!place.is_waiting() || place.owner.load() == 0) continue;
    if (found == nullptr || is_before(place.ticket, found->ticket)) found = &place;
  }
  return found;
}

}  // namespace

int make_condition(shared_block& block) {
  const int failure = allocate_shared(sizeof(shared_condition), block);
  if (failure != 0) return failure;
  // The rest is zero as it comes, and isn't touched before it is used.
  static_cast<shared_condition*>(block.data())->header = {shared_magic, shared_kind::condition};
  return 0;
}

int begin_wait(shared_condition& condition) noexcept {
  const thread_in_shared_memory here;
  return condition.waiters().enter(condition.next_ticket.fetch_add(1));
}

bool is_told(shared_condition& condition, int& index) noexcept {
  const thread_in_shared_memory here;
  const waiting_place& place = condition.places[index];
  if (place.what.load() == waiting_place::told) return true;
  if (place.owner.load() == platform::own_thread()) return false;
  // No room for one more: the copy is told, as it may be for nothing.
  index = condition.waiters().enter(condition.next_ticket.fetch_add(1));
  return index < 0;
}

bool end_wait(shared_condition& condition, int index) noexcept {
  const thread_in_shared_memory here;
  waiting_place& place = condition.places[index];
  if (place.owner.load() != platform::own_thread()) return true;
  const bool was_told = place.what.exchange(waiting_place::empty) == waiting_place::told;
  place.leave();
  return was_told;
}

uint32_t notify(shared_condition& condition, uint32_t count) noexcept {
  const thread_in_shared_memory here;
  uint32_t told = 0;
  while (told < count) {
    waiting_place* const place = longest_waiting(condition);
    if (place == nullptr) break;
    const platform::thread_mark waiter = place->owner.load();
    if (platform::has_ended(waiter)) {
      place->what = waiting_place::empty;
      place->leave();
      continue;
    }
    place->tell(waiting_place::told);
    ++told;
  }
  return told;
}

int make_event(shared_block& block) {
  const int failure = allocate_shared(sizeof(shared_event), block);
  if (failure != 0) return failure;
  auto* const event = new (block.data()) shared_event{};
  event->header = {shared_magic, shared_kind::event};
  return 0;
}

void set_event(shared_event& event) noexcept {
  uint32_t present = event.word.load();
  do {
    if ((present & shared_event::is_set) != 0) return;
  } while (!event.word.compare_exchange_weak(present, (present + 2) | shared_event::is_set));
  platform::futex_wake(reinterpret_cast<uint32_t*>(&event.word), UINT32_MAX);
}

void clear_event(shared_event& event) noexcept { event.word.fetch_and(~shared_event::is_set); }

attempt look_at_event(const shared_event& event, uint32_t since) noexcept {
  const uint32_t present = event.word.load();
  const bool was_set = (present & shared_event::is_set) != 0 || present >> 1U != since >> 1U;
  return {was_set ? attempt::outcome::done : attempt::outcome::busy, present};
}

}  // namespace truefork::posix
