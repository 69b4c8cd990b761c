// The layout of glibc's locks, 2.28 to 2.41 on 64-bit: bits/struct_mutex.h, bits/struct_rwlock.h. Everything is
// checked before anything is believed: memory that only looks like a lock by half is none.
#ifndef TRUEFORK_FORK_LOCKS_GLIBC_H_
#define TRUEFORK_FORK_LOCKS_GLIBC_H_

#include <cstddef>
#include <cstdint>

namespace truefork::fork {

struct glibc_mutex {
  uint32_t lock;
  uint32_t count;
  int32_t owner;
  uint32_t users;
  uint32_t kind;
  int16_t spins;
  int16_t elision;
  uint64_t previous;
  uint64_t next;

  static constexpr uint32_t type_mask = 3;  // normal, recursive, error-checking, adaptive
  static constexpr uint32_t recursive = 1;
  static constexpr uint32_t errorcheck = 2;
  static constexpr uint32_t robust = 0x10;
  static constexpr uint32_t inherits_priority = 0x20;
  static constexpr uint32_t protects_priority = 0x40;
  static constexpr uint32_t known_bits = 0x3f3;     // and process-shared 0x80, elision 0x100 and 0x200
  static constexpr uint32_t tid_mask = 0x3fffffff;  // FUTEX_TID_MASK

  // A held mutex that asks who its owner is. The caller has checked that `owner` is one of this process's tids.
  bool is_held() const noexcept {
    if ((kind & ~known_bits) != 0 || users == 0 || users > 0xffff) return false;
    const uint32_t type = kind & type_mask;
    const bool word_is_tid = (kind & (robust | inherits_priority)) != 0;
    if (!word_is_tid && type != recursive && type != errorcheck) return false;
    if (word_is_tid ? (lock & tid_mask) != static_cast<uint32_t>(owner)
                    : (kind & protects_priority) == 0 && lock != 1 && lock != 2) {
      return false;
    }
    // Of those whose word is a tid, pthread_mutex_lock counts even the ones that aren't recursive.
    if (type == recursive ? count == 0 : count > (word_is_tid ? 1 : 0)) return false;
    const bool listed = previous != 0 || next != 0;
    return (kind & robust) != 0 || !listed;
  }

  // Whether the kernel keeps its owner, as of one that lends priority while somebody waits; futex(2), FUTEX_LOCK_PI.
  // `owner` is only set once that call has returned.
  bool is_held_in_kernel() const noexcept {
    return (kind & ~known_bits) == 0 && (kind & inherits_priority) != 0 && (lock & tid_mask) != 0;
  }

  void set_owner(int32_t tid) noexcept {
    if ((kind & (robust | inherits_priority)) != 0) lock = (lock & ~tid_mask) | static_cast<uint32_t>(tid);
    owner = tid;
  }
};

static_assert(sizeof(glibc_mutex) == 40 && offsetof(glibc_mutex, owner) == 8);

struct glibc_rwlock {
  uint32_t readers;
  uint32_t writers;
  uint32_t write_phase_futex;
  uint32_t writers_futex;
  uint32_t padding[2];
  int32_t writer;
  int32_t shared;
  uint64_t elision_and_padding;
  uint64_t more_padding;
  uint32_t preference;

  // A rwlock held for writing. The caller has checked that `writer` is one of this process's tids.
  bool is_held() const noexcept {
    constexpr uint32_t write_phase = 1;
    constexpr uint32_t write_locked = 2;
    return (readers & (write_phase | write_locked)) == (write_phase | write_locked) && (write_phase_futex & ~2U) == 1 &&
           (writers_futex & ~2U) == 1 && writers < 0x10000 && padding[0] == 0 && padding[1] == 0 &&
           (shared == 0 || shared == 1) && elision_and_padding == 0 && more_padding == 0 && preference <= 3;
  }

  void set_owner(int32_t tid) noexcept { writer = tid; }
};

static_assert(sizeof(glibc_rwlock) == 56 && offsetof(glibc_rwlock, writer) == 24);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_LOCKS_GLIBC_H_
