// Blocks of zeroed memory that this process shares with the children that it forks, and with those that are sent its
// descriptor. Small ones lie together in one mapping.
#ifndef TRUEFORK_POSIX_SHARED_MEMORY_H_
#define TRUEFORK_POSIX_SHARED_MEMORY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace truefork::posix {

class shared_segment;

// Gives its memory back when it goes: the mapping goes with the last block in it. What another process may still use
// isn't given out again.
class shared_block {
 public:
  shared_block() noexcept = default;
  shared_block(std::shared_ptr<shared_segment> segment, size_t offset, size_t size) noexcept;
  ~shared_block();
  shared_block(shared_block&& other) noexcept = default;
  shared_block& operator=(shared_block&& other) noexcept;
  shared_block(const shared_block&) = delete;
  shared_block& operator=(const shared_block&) = delete;

  void* data() const noexcept;
  size_t size() const noexcept { return size_; }
  size_t offset() const noexcept { return offset_; }

  // The mapping, for whoever needs the memory longer than the block.
  std::shared_ptr<shared_segment> segment() const noexcept { return segment_; }

  // The mapping's descriptor, to be sent to a process that attaches the block, or a negative error number: EBADF where
  // somebody has closed it, or there was none to be had. It stays the mapping's own.
  int descriptor() noexcept;

  // True if no process but this one and `other` has this memory; other 0: none but this one. False also where that
  // isn't certain.
  bool is_shared_with_none_but(pid_t other) const noexcept;

 private:
  std::shared_ptr<shared_segment> segment_;
  size_t offset_ = 0;
  size_t size_ = 0;
};

// Aligned to 64 bytes. 0 or a negative error number.
int allocate_shared(size_t size, shared_block& block);

// What another process's block was told to be. The descriptor stays the caller's. 0 or a negative error number: EINVAL
// if that is no memory of ours.
int attach_shared(int descriptor, size_t offset, size_t size, shared_block& block);

// Around a fork of this process: the child has every mapping, too. Neither gives out memory again that the other may
// use.
class shared_memory_at_fork {
 public:
  shared_memory_at_fork();

  // One of them is called, once.
  void in_child() noexcept;
  void in_parent(bool has_child) noexcept;

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SHARED_MEMORY_H_
