#include "shared_lock.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <vector>

#include "../platform/futex.h"

namespace truefork::posix {

namespace {

std::mutex& gate() noexcept {
  static auto* const mutex = new std::mutex;  // never destroyed, as Workers may outlive static objects
  return *mutex;
}

// What this thread holds, as far as others haven't released it. In a child all of it is the parent's.
std::vector<shared_lock*>& held() {
  thread_local std::vector<shared_lock*> locks;
  return locks;
}

void forget_held(const shared_lock& lock) {
  auto& locks = held();
  locks.erase(std::remove(locks.begin(), locks.end(), &lock), locks.end());
}

void note_held(shared_lock& lock) {
  forget_held(lock);
  held().push_back(&lock);
}

uint32_t low_half(uint64_t whole) noexcept { return static_cast<uint32_t>(whole); }

}  // namespace

thread_in_shared_memory::thread_in_shared_memory() noexcept { gate().lock(); }
thread_in_shared_memory::~thread_in_shared_memory() { gate().unlock(); }
shared_locks_at_fork::shared_locks_at_fork() noexcept { gate().lock(); }
shared_locks_at_fork::~shared_locks_at_fork() { gate().unlock(); }

attempt owned_word::take(patience waited, platform::thread_mark self) noexcept {
  constexpr uint64_t bits = has_sleepers | is_promised;
  uint64_t present = whole_.load();
  for (;;) {
    const bool is_free = (present & platform::thread_number_mask) == 0;
    const bool is_dead = !is_free && waited.looks_for_dead && platform::has_ended(present & ~bits);
    const bool may_take = waited.has_slept || !waited.will_sleep || (present & is_promised) == 0;
    if (is_dead || (is_free && may_take)) {
      // Who was woken can't know whether others sleep on; it says so to be on the safe side.
      const uint64_t sleepers = waited.has_slept || is_dead ? has_sleepers : present & has_sleepers;
      if (!whole_.compare_exchange_weak(present, self | sleepers)) continue;
      return {is_dead ? attempt::outcome::owner_died : attempt::outcome::done};
    }
    if (!waited.will_sleep) return {attempt::outcome::busy, low_half(present)};
    const uint64_t wanted = present | has_sleepers | (waited.has_slept ? is_promised : 0);
    if (present == wanted || whole_.compare_exchange_weak(present, wanted)) {
      return {attempt::outcome::busy, low_half(wanted)};
    }
  }
}

bool owned_word::release() noexcept {
  uint64_t present = whole_.load();
  do {
    if ((present & platform::thread_number_mask) == 0) return false;
  } while (!whole_.compare_exchange_weak(present, (present & is_promised) != 0 ? is_promised | has_sleepers : 0));
  if ((present & has_sleepers) != 0) wake_one();
  return true;
}

void owned_word::pass_on() noexcept {
  if (!is_held()) wake_one();
}

void owned_word::wake_one() noexcept { platform::futex_wake(word(), 1); }

int make_lock(bool is_recursive, shared_block& block) {
  const int failure = allocate_shared(sizeof(shared_lock), block);
  if (failure != 0) return failure;
  auto* const lock = new (block.data()) shared_lock{};
  lock->header = {shared_magic, is_recursive ? shared_kind::recursive_lock : shared_kind::lock};
  return 0;
}

attempt take_lock(shared_lock& lock, patience waited) noexcept {
  const thread_in_shared_memory here;
  const platform::thread_mark self = platform::own_thread();
  if (lock.header.kind == shared_kind::recursive_lock && lock.word.owner() == self) {
    ++lock.depth;
    return {attempt::outcome::done};
  }
  const attempt result = lock.word.take(waited, self);
  if (result.what == attempt::outcome::busy) return result;
  if (result.what == attempt::outcome::owner_died) {
    lock.deaths.fetch_add(1);
    lock.dead_pid = lock.owner_pid.load();
  }
  lock.depth = 1;
  lock.owner_waits_for = 0;
  lock.owner_pid = ::getpid();
  note_held(lock);
  return result;
}

int release_lock(shared_lock& lock) noexcept {
  const thread_in_shared_memory here;
  if (lock.header.kind == shared_kind::recursive_lock) {
    if (!is_own(lock)) return -EPERM;
    if (--lock.depth > 0) return 0;
  }
  forget_held(lock);
  return lock.word.release() ? 0 : -EPERM;
}

int release_lock_wholly(shared_lock& lock) noexcept {
  const thread_in_shared_memory here;
  if (!is_own(lock)) return -EPERM;
  const uint32_t depth = lock.depth;
  forget_held(lock);
  lock.word.release();
  return static_cast<int>(depth);
}

void restore_depth(shared_lock& lock, uint32_t depth) noexcept { lock.depth = depth; }

bool is_own(const shared_lock& lock) noexcept { return lock.word.owner() == platform::own_thread(); }

bool would_hang(shared_lock& lock, const shared_block& block) noexcept {
  if (is_own(lock)) return block.is_shared_with_none_but(0);
  const pid_t owner = lock.owner_pid;
  if (lock.owner_waits_for != ::getpid() || owner == ::getpid()) return false;
  // Only its owner can release a recursive lock; any other, whoever has it.
  const bool is_alone = lock.header.kind == shared_kind::recursive_lock || block.is_shared_with_none_but(owner);
  if (!is_alone || !lock.word.is_held() || platform::has_ended(lock.word.owner())) return false;
  return lock.owner_waits_for == ::getpid() && lock.owner_pid == owner;
}

void forget_lock(shared_lock& lock) noexcept { forget_held(lock); }

int make_semaphore(uint32_t value, uint32_t maximum, shared_block& block) {
  const int failure = allocate_shared(sizeof(shared_semaphore), block);
  if (failure != 0) return failure;
  auto* const semaphore = new (block.data()) shared_semaphore{};
  semaphore->header = {shared_magic, shared_kind::semaphore};
  semaphore->word = value;
  semaphore->maximum = maximum;
  return 0;
}

attempt take_semaphore(shared_semaphore& semaphore, patience waited) noexcept {
  uint32_t present = semaphore.word.load();
  for (;;) {
    const uint32_t value = present & shared_semaphore::most;
    const bool may_take = waited.has_slept || !waited.will_sleep || (present & owned_word::is_promised) == 0;
    if (value > 0 && may_take) {
      const uint32_t sleepers = waited.has_slept ? owned_word::has_sleepers : present & owned_word::has_sleepers;
      if (!semaphore.word.compare_exchange_weak(present, (value - 1) | sleepers)) continue;
      // There may be enough for the next sleeper, too.
      if (value > 1 && sleepers != 0) platform::futex_wake(reinterpret_cast<uint32_t*>(&semaphore.word), 1);
      return {attempt::outcome::done};
    }
    if (!waited.will_sleep) return {attempt::outcome::busy, present};
    const uint32_t wanted = present | owned_word::has_sleepers | (waited.has_slept ? owned_word::is_promised : 0);
    if (present == wanted || semaphore.word.compare_exchange_weak(present, wanted)) {
      return {attempt::outcome::busy, wanted};
    }
  }
}

int release_semaphore(shared_semaphore& semaphore, uint32_t count) noexcept {
  uint32_t present = semaphore.word.load();
  uint32_t wanted = 0;
  do {
    const uint32_t value = present & shared_semaphore::most;
    const uint32_t maximum = semaphore.maximum == 0 ? shared_semaphore::most : semaphore.maximum;
    if (value > maximum || count > maximum - value) return -EOVERFLOW;
    wanted = present + count;
    if ((present & owned_word::is_promised) == 0) wanted &= ~owned_word::has_sleepers;
  } while (!semaphore.word.compare_exchange_weak(present, wanted));
  if ((present & owned_word::has_sleepers) != 0) {
    platform::futex_wake(reinterpret_cast<uint32_t*>(&semaphore.word), count);
  }
  return 0;
}

uint32_t semaphore_value(const shared_semaphore& semaphore) noexcept {
  return semaphore.word.load() & shared_semaphore::most;
}

void pass_on_semaphore(shared_semaphore& semaphore) noexcept {
  if (semaphore_value(semaphore) > 0) platform::futex_wake(reinterpret_cast<uint32_t*>(&semaphore.word), 1);
}

waiting_for_child::waiting_for_child(pid_t child) noexcept {
  if (child == 0 || held().empty()) return;
  for (shared_lock* const lock : held()) {
    if (!is_own(*lock)) continue;
    lock->owner_waits_for = child;
    platform::futex_wake(lock->word.word(), UINT32_MAX);  // those that sleep can tell now whether that is for ever
  }
}

waiting_for_child::~waiting_for_child() {
  for (shared_lock* const lock : held()) {
    if (is_own(*lock)) lock->owner_waits_for = 0;
  }
}

}  // namespace truefork::posix
