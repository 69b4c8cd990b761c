// One mapping of shared memory: who has it, and which parts of it are given out.
#ifndef TRUEFORK_POSIX_SHARED_SEGMENT_H_
#define TRUEFORK_POSIX_SHARED_SEGMENT_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "../platform/shared_memory.h"

namespace truefork::posix {

// At the start of every mapping, in the memory itself.
struct segment_header {
  static constexpr uint32_t expected_magic = 0x4d534654;  // "TFSM"
  static constexpr size_t most_processes = 126;

  uint32_t magic;
  std::atomic<uint32_t> arriving;  // processes that may have it and aren't on the list yet, or found no room there
  uint64_t size;
  std::atomic<platform::thread_mark> processes[most_processes];

  void add_process(platform::thread_mark process) noexcept;
};
static_assert(sizeof(segment_header) == 1024 && std::atomic<uint64_t>::is_always_lock_free);

// Not safe to be used by two threads at once: shared_memory.cc sees to that.
class shared_segment {
 public:
  // Makes a new one, or maps another process's. `failure`: 0 or a negative error number.
  shared_segment(size_t size, int& failure) noexcept;
  shared_segment(int descriptor, int& failure) noexcept;
  ~shared_segment();
  shared_segment(const shared_segment&) = delete;
  shared_segment& operator=(const shared_segment&) = delete;

  char* base() const noexcept { return base_; }
  size_t size() const noexcept { return size_; }
  segment_header& header() const noexcept { return *reinterpret_cast<segment_header*>(base_); }
  bool is_file(dev_t device, ino_t inode) const noexcept { return device == device_ && inode == inode_; }
  // Or -EBADF, if the number stands for something else by now.
  int descriptor() const noexcept;

  // 0: no room.
  size_t take(size_t size);
  void give_back(size_t offset, size_t size);
  // Another process may have it from now on.
  void share() noexcept { is_shared_ = true; }
  bool is_shared() const noexcept { return is_shared_; }

 private:
  int map(size_t size) noexcept;

  char* base_ = nullptr;
  size_t size_ = 0;
  int descriptor_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  bool is_shared_ = false;
  size_t used_ = sizeof(segment_header);
  std::map<size_t, std::vector<size_t>> free_;  // offsets by size
};

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SHARED_SEGMENT_H_
