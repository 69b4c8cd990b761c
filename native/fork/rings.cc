// Rings of io_uring, as libuv has one for each event loop to register sockets in batches (1.46, Node 22). A ring that
// has nothing under way is as good as a new one mapped at the same addresses; io_uring_setup(2).
#include <fcntl.h>
#include <sys/mman.h>

#include <initializer_list>

#include "proc_text.h"
#include "quiet.h"
#include "twins.h"

namespace truefork::fork {

namespace {

using quiet::call;
using quiet::system_call;

constexpr uint64_t ring_offset = 0;              // IORING_OFF_SQ_RING
constexpr uint64_t entries_offset = 0x10000000;  // IORING_OFF_SQES
constexpr uint32_t setup_no_mmap = 1U << 14;     // IORING_SETUP_NO_MMAP, Linux 6.5
constexpr uint32_t setup_no_sqarray = 1U << 16;  // IORING_SETUP_NO_SQARRAY, Linux 6.6

// io_uring_params, of which <linux/io_uring.h> on older machines lacks the newer bits.
struct ring_params {
  uint32_t submissions, completions, flags, cpu, idle, features, workqueue, reserved[3];
  struct {
    uint32_t head, tail, mask, entries, flags, dropped, array, reserved;
    uint64_t address;
  } submission_offsets;
  struct {
    uint32_t head, tail, mask, entries, overflow, completions, flags, reserved;
    uint64_t address;
  } completion_offsets;
};

static_assert(sizeof(ring_params) == 120);

const ring_map* find_map(const descriptor_table& table, uint64_t inode, uint64_t offset) noexcept {
  for (const ring_map& map : table.ring_maps) {
    if (map.inode == inode && map.offset == offset) return &map;
  }
  return nullptr;
}

// Notes where each ring is mapped, from /proc/self/maps: "start-end perms offset dev inode path".
int read_ring_maps(descriptor_table& table) noexcept {
  const int failure = read_maps(table.text);
  if (failure != 0) return failure;
  for (const char* line = table.text.items; *line != '\0';) {
    const char* at = line;
    const uint64_t start = quiet::parse_number(at, 16);
    const uint64_t end = quiet::parse_number(++at, 16);
    while (*++at != ' ') continue;  // permissions
    const uint64_t offset = quiet::parse_number(++at, 16);
    while (*++at != ' ') continue;  // device
    const uint64_t inode = quiet::parse_number(++at);
    while (*at == ' ') ++at;
    if (quiet::starts_with(at, "anon_inode:[io_uring]") && find_map(table, inode, offset) == nullptr) {
      const int full = table.ring_maps.add({inode, offset, start, end - start});
      if (full != 0) return full;
    }
    while (*at != '\0' && *at != '\n') ++at;
    line = *at == '\n' ? at + 1 : at;
  }
  return 0;
}

bool is_idle(const char* info) noexcept {
  return number_at(info, "SqHead:") == number_at(info, "SqTail:") &&
         number_at(info, "CqHead:") == number_at(info, "CqTail:");
}

// One that a kernel thread serves, or with files and buffers registered, holds more than its memory shows.
bool is_plain(const char* info) noexcept {
  const char* const thread = find_value(info, "SqThread:");
  return thread != nullptr && thread[0] == '-' && number_at(info, "UserFiles:") == 0 &&
         number_at(info, "UserBufs:") == 0;
}

// Without the flag a ring has an array of slots, which libuv fills once with 0, 1, 2, ...
bool has_slot_array(const ring_map& ring, const ring_params& params) noexcept {
  const uint64_t end = params.submission_offsets.array + uint64_t{params.submissions} * sizeof(uint32_t);
  if (params.submission_offsets.array == 0 || end > ring.size) return false;
  const auto* const array = reinterpret_cast<const uint32_t*>(ring.address + params.submission_offsets.array);
  for (uint32_t i = 0; i < params.submissions; ++i) {
    if (array[i] != i) return false;
  }
  return true;
}

long make_ring(const ring_map& ring, uint32_t submissions, ring_params& params) noexcept {
  params = {};
  long fd = system_call(SYS_io_uring_setup, submissions, (long)&params);
  if (fd < 0 || has_slot_array(ring, params)) return fd;
  system_call(SYS_close, fd);
  params = {};
  params.flags = setup_no_sqarray;
  return system_call(SYS_io_uring_setup, submissions, (long)&params);
}

long map_fixed(const ring_map& map, int flags, int fd, uint64_t offset) noexcept {
  return system_call(SYS_mmap, static_cast<long>(map.address), static_cast<long>(map.size), PROT_READ | PROT_WRITE,
                     flags | MAP_FIXED, fd, static_cast<long>(offset));
}

bool map_at_same_place(const ring_twin& twin) noexcept {
  constexpr int flags = MAP_SHARED | MAP_POPULATE;
  return map_fixed(twin.ring, flags, twin.fd, ring_offset) > 0 &&
         map_fixed(twin.entries, flags, twin.fd, entries_offset) > 0;
}

// Since Linux 6.4 a ring can't be mapped where one likes, but from 6.10 on it can be made in any memory.
long make_ring_in_place(const ring_twin& twin) noexcept {
  for (const ring_map* map : {&twin.ring, &twin.entries}) {
    const long address = map_fixed(*map, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address < 0) return address;
  }
  ring_params params{};
  params.flags = setup_no_mmap | (twin.array == 0 ? setup_no_sqarray : 0);
  params.completion_offsets.address = twin.ring.address;
  params.submission_offsets.address = twin.entries.address;
  const long fd = system_call(SYS_io_uring_setup, twin.submissions, (long)&params);
  if (fd < 0) return fd;
  const long outcome = call(SYS_dup3, fd, twin.fd, O_CLOEXEC);
  system_call(SYS_close, fd);
  return outcome;
}

// /proc/self/maps doesn't tell of a ring made in place, so the child's own forks couldn't find it.
int note_maps(descriptor_table& table, const ring_twin& twin) noexcept {
  struct stat status {};
  system_call(SYS_fstat, twin.fd, (long)&status);
  const int failure = table.ring_maps.add({status.st_ino, ring_offset, twin.ring.address, twin.ring.size});
  if (failure != 0) return failure;
  return table.ring_maps.add({status.st_ino, entries_offset, twin.entries.address, twin.entries.size});
}

}  // namespace

descriptor_outcome twin_ring(descriptor_table& table, int fd, uint64_t inode, bool cloexec) noexcept {
  const char* const step = "io_uring_setup";
  const bool idle = is_idle(table.text.items);
  const bool plain = is_plain(table.text.items);
  const auto submissions = static_cast<uint32_t>(number_at(table.text.items, "SqMask:", 0) + 1);
  if (plain && !idle) return failed(step, -EAGAIN);
  const auto is_mapped = [&table, inode] {
    return find_map(table, inode, ring_offset) != nullptr && find_map(table, inode, entries_offset) != nullptr;
  };
  if (plain && !is_mapped()) {
    const int failure = read_ring_maps(table);
    if (failure != 0) return failed("read", failure);
  }
  if (!plain || !is_mapped()) {
    if (table.share_rings) return done;
    // Without its memory a ring is just being made or given up, with the event loop of a Worker: a moment later it
    // isn't.
    return failed(step, plain ? -EAGAIN : -EBUSY);
  }
  const ring_map* const ring = find_map(table, inode, ring_offset);
  const ring_map* const entries = find_map(table, inode, entries_offset);

  ring_params params;
  const long replacement = make_ring(*ring, submissions, params);
  if (replacement < 0) return failed(step, replacement);
  const uint32_t array = (params.flags & setup_no_sqarray) != 0 ? 0 : params.submission_offsets.array;
  const int failure = table.rings.add({fd, *ring, *entries, array, submissions});
  if (failure == 0) return add_twin(table, {fd, static_cast<int>(replacement), cloexec, false});
  system_call(SYS_close, replacement);
  return failed("mmap", failure);
}

descriptor_outcome map_rings(descriptor_table& table) noexcept {
  for (const ring_twin& twin : table.rings) {
    if (!map_at_same_place(twin)) {
      const long failure = make_ring_in_place(twin);
      if (failure < 0) return failed("io_uring_setup", failure);
    }
    auto* const array = reinterpret_cast<uint32_t*>(twin.ring.address + twin.array);
    for (uint32_t i = 0; twin.array != 0 && i < twin.submissions; ++i) array[i] = i;
    const int failure = note_maps(table, twin);
    if (failure != 0) return failed("mmap", failure);
  }
  return done;
}

}  // namespace truefork::fork
