// Locks in shared memory, with processes that contend and are killed at any instruction.
#include "posix/shared_lock.h"

#include <signal.h>
#include <time.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "check.h"
#include "platform/futex.h"
#include "posix/shared_barrier.h"
#include "posix/shared_condition.h"

using namespace truefork;

namespace {

using outcome = posix::attempt::outcome;

constexpr posix::patience try_once{false, true, false};

template <typename Object>
Object& in(const posix::shared_block& block) {
  return *static_cast<Object*>(block.data());
}

// As lib/ does it: tries, sleeps, tries again.
outcome acquire(posix::shared_lock& lock) {
  posix::patience waited{};
  for (;;) {
    const posix::attempt found = posix::take_lock(lock, waited);
    if (found.what != outcome::busy) return found.what;
    platform::futex_wait(lock.word.word(), found.observed, 10);
    waited = {true, true};
  }
}

// A fork as the addon makes it.
template <typename Body>
pid_t forked(Body body) {
  pid_t pid = 0;
  {
    const posix::shared_locks_at_fork locks;
    posix::shared_memory_at_fork memory;
    pid = ::fork();
    if (pid == 0) {
      memory.in_child();
    } else {
      memory.in_parent(pid > 0);
    }
  }
  if (pid != 0) return pid;
  test::failures = 0;
  const int status = body();
  _exit(test::failures == 0 ? status : 99);
}

struct shared_state {
  std::atomic<uint32_t> inside;
  // Alike, but for the time of a change.
  volatile uint64_t one;
  volatile uint64_t other;
  std::atomic<uint32_t> deaths;
};

void change(posix::shared_lock& lock, shared_state& state) {
  const bool owner_died = acquire(lock) == outcome::owner_died;
  if (owner_died) {
    state.deaths.fetch_add(1);
    state.inside = 0;
    state.other = state.one;
  }
  EXPECT(state.inside.fetch_add(1) == 0);
  EXPECT(state.one == state.other);
  state.one = state.one + 1;
  for (volatile int work = 0; work < 50; work = work + 1) {
  }
  state.other = state.other + 1;
  state.inside.fetch_sub(1);
  EXPECT(posix::release_lock(lock) == 0);
}

void every_turn_is_counted() {
  posix::shared_block block;
  posix::shared_block memory;
  EXPECT(posix::make_lock(false, block) == 0);
  EXPECT(posix::allocate_shared(sizeof(shared_state), memory) == 0);
  auto& lock = in<posix::shared_lock>(block);
  auto& state = in<shared_state>(memory);
  constexpr int processes = 4;
  constexpr int turns = 3000;
  std::vector<pid_t> pids;
  for (int i = 0; i < processes; ++i) {
    pids.push_back(forked([&lock, &state] {
      for (int turn = 0; turn < turns; ++turn) change(lock, state);
      return 0;
    }));
  }
  for (const pid_t pid : pids) EXPECT(test::ending(pid) == 0);
  EXPECT(state.one == uint64_t{processes} * turns && state.deaths == 0 && !lock.word.is_held());
}

void killed_holders_are_told_of_and_nobody_hangs() {
  posix::shared_block block;
  posix::shared_block memory;
  EXPECT(posix::make_lock(false, block) == 0);
  EXPECT(posix::allocate_shared(sizeof(shared_state), memory) == 0);
  auto& lock = in<posix::shared_lock>(block);
  auto& state = in<shared_state>(memory);
  uint32_t killed_inside = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<pid_t> victims;
    for (int i = 0; i < 3; ++i) {
      victims.push_back(forked([&lock, &state] {
        for (;;) change(lock, state);
        return 0;
      }));
    }
    const uint64_t before = state.one;
    while (state.one < before + 20) sched_yield();
    for (const pid_t pid : victims) kill(pid, SIGKILL);
    for (const pid_t pid : victims) EXPECT(test::ending(pid) == -SIGKILL);
    if (lock.word.is_held()) ++killed_inside;
    // Whatever they left behind.
    change(lock, state);
    EXPECT(!lock.word.is_held() && state.one == state.other);
  }
  EXPECT(state.deaths >= killed_inside);
  EXPECT(lock.deaths >= state.deaths);  // who was told may have been killed before it could count
}

void an_owner_is_a_thread() {
  posix::shared_block block;
  EXPECT(posix::make_lock(true, block) == 0);
  auto& lock = in<posix::shared_lock>(block);
  EXPECT(acquire(lock) == outcome::done && acquire(lock) == outcome::done);
  std::thread other([&lock] {
    EXPECT(posix::take_lock(lock, try_once).what == outcome::busy);
    EXPECT(posix::release_lock(lock) == -EPERM);
  });
  other.join();
  EXPECT(test::ending(forked([&lock] {
           EXPECT(!posix::is_own(lock) && posix::release_lock(lock) == -EPERM);
           EXPECT(posix::take_lock(lock, try_once).what == outcome::busy);
           return 0;
         })) == 0);
  EXPECT(posix::release_lock(lock) == 0 && posix::is_own(lock));
  EXPECT(posix::release_lock(lock) == 0 && !lock.word.is_held());
  EXPECT(posix::release_lock(lock) == -EPERM);
}

#ifdef __linux__
void a_thread_that_ends_loses_its_lock() {
  posix::shared_block block;
  EXPECT(posix::make_lock(false, block) == 0);
  auto& lock = in<posix::shared_lock>(block);
  std::thread([&lock] { EXPECT(acquire(lock) == outcome::done); }).join();
  EXPECT(posix::take_lock(lock, try_once).what == outcome::owner_died);
  EXPECT(posix::release_lock(lock) == 0);
}
#endif

void only_a_certain_deadlock_is_one() {
  posix::shared_block block;
  EXPECT(posix::make_lock(false, block) == 0);
  auto& lock = in<posix::shared_lock>(block);
  EXPECT(!posix::would_hang(lock, block));
  EXPECT(acquire(lock) == outcome::done && posix::would_hang(lock, block));
  const pid_t child = forked([&lock, &block] {
    while (lock.owner_waits_for == 0) sched_yield();
    EXPECT(posix::would_hang(lock, block));
    return 0;
  });
  EXPECT(!posix::would_hang(lock, block));  // the child could release it
  {
    const posix::waiting_for_child waiting(child);
    EXPECT(test::ending(child) == 0);
  }
  EXPECT(lock.owner_waits_for == 0 && posix::would_hang(lock, block));
  EXPECT(posix::release_lock(lock) == 0);
}

void memory_is_used_again_unless_others_may_have_it() {
  posix::shared_block kept;
  EXPECT(posix::allocate_shared(64, kept) == 0);
  void* address = nullptr;
  {
    posix::shared_block block;
    EXPECT(posix::allocate_shared(100, block) == 0);
    address = block.data();
    in<uint32_t>(block) = 1;
  }
  posix::shared_block again;
  EXPECT(posix::allocate_shared(128, again) == 0);
  EXPECT(again.data() == address && in<uint32_t>(again) == 0);
  EXPECT(test::ending(forked([] { return 0; })) == 0);
  again = posix::shared_block();
  posix::shared_block elsewhere;
  EXPECT(posix::allocate_shared(128, elsewhere) == 0);
  EXPECT(elsewhere.data() != address);
}

void a_block_is_found_by_its_descriptor() {
  posix::shared_block block;
  EXPECT(posix::make_event(block) == 0);
  const int descriptor = block.descriptor();
  EXPECT(descriptor >= 0);
  posix::shared_block same;
  EXPECT(posix::attach_shared(descriptor, block.offset(), block.size(), same) == 0);
  EXPECT(same.data() == block.data());
  EXPECT(posix::attach_shared(descriptor, size_t{1} << 40U, 64, same) == -EINVAL);
  EXPECT(posix::attach_shared(descriptor, block.offset() + 1, 64, same) == -EINVAL);
  EXPECT(posix::attach_shared(descriptor, block.offset(), SIZE_MAX, same) == -EINVAL);
  EXPECT(posix::attach_shared(-1, 1024, 64, same) == -EBADF);
  int ends[2];
  EXPECT(pipe(ends) == 0);
  EXPECT(posix::attach_shared(ends[0], 1024, 64, same) == -EINVAL);
  close(ends[0]);
  close(ends[1]);
}

void a_condition_passes_over_the_dead() {
  posix::shared_block block;
  EXPECT(posix::make_condition(block) == 0);
  auto& condition = in<posix::shared_condition>(block);
  const pid_t dead = forked([&condition] { return posix::begin_wait(condition) == 0 ? 0 : 1; });
  EXPECT(test::ending(dead) == 0);
  int first = posix::begin_wait(condition);
  int second = posix::begin_wait(condition);
  EXPECT(posix::notify(condition, 1) == 1);
  EXPECT(posix::is_told(condition, first) && !posix::is_told(condition, second));
  EXPECT(posix::end_wait(condition, first) && !posix::end_wait(condition, second));
  EXPECT(posix::notify(condition, 1) == 0);
  for (size_t i = 0; i < posix::shared_condition::most_waiters; ++i) EXPECT(posix::begin_wait(condition) >= 0);
  EXPECT(posix::begin_wait(condition) == -EAGAIN);
}

void a_barrier_breaks_with_a_party_that_dies() {
  posix::shared_block block;
  EXPECT(posix::make_barrier(3, block) == 0);
  auto& barrier = in<posix::shared_barrier>(block);
  EXPECT(test::ending(forked([&barrier] { return posix::arrive(barrier).index == 0 ? 0 : 1; })) == 0);
  const posix::arrival here = posix::arrive(barrier);
  EXPECT(here.what == posix::arrival::outcome::waits && here.index == 1);
  EXPECT(posix::look_at_barrier(barrier, here.place, here.generation, false) == posix::waiting_place::waiting);
  EXPECT(posix::look_at_barrier(barrier, here.place, here.generation, true) == posix::waiting_place::refused);
  EXPECT(posix::leave_barrier(barrier, here.place, here.generation) == posix::waiting_place::refused);
  EXPECT(posix::arrive(barrier).what == posix::arrival::outcome::is_broken);
  posix::reset_barrier(barrier);
  EXPECT(posix::arrive(barrier).what == posix::arrival::outcome::waits);
}

}  // namespace

int main() {
  every_turn_is_counted();
  killed_holders_are_told_of_and_nobody_hangs();
  an_owner_is_a_thread();
#ifdef __linux__
  a_thread_that_ends_loses_its_lock();
#endif
  only_a_certain_deadlock_is_one();
  memory_is_used_again_unless_others_may_have_it();
  a_block_is_found_by_its_descriptor();
  a_condition_passes_over_the_dead();
  a_barrier_breaks_with_a_party_that_dies();
  return test::failures != 0;
}
