#include "shared_segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "result.h"

namespace truefork::posix {

void segment_header::add_process(platform::thread_mark process) noexcept {
  for (int round = 0; round < 2; ++round) {
    for (auto& place : processes) {
      platform::thread_mark present = place.load();
      // Who has ended makes room, once there is no other.
      if (present != 0 && (round == 0 || !platform::has_ended(present))) continue;
      if (place.compare_exchange_strong(present, process)) return;
    }
  }
  arriving.fetch_add(1);
}

shared_segment::shared_segment(size_t size, int& failure) noexcept {
  descriptor_ = platform::open_shared_memory(size);
  // Without a descriptor it is still shared with the children that are forked: a full table is no reason to fail.
  const bool has_none = descriptor_ == -EMFILE || descriptor_ == -ENFILE;
  failure = descriptor_ < 0 && !has_none ? descriptor_ : map(size);
  if (failure != 0) return;
  header().magic = segment_header::expected_magic;
  header().size = size;
  header().add_process(platform::own_process());
}

shared_segment::shared_segment(int descriptor, int& failure) noexcept : is_shared_(true) {
  struct stat file {};
  failure = from_errno(fstat(descriptor, &file));
  if (failure != 0) return;
  if (file.st_size < static_cast<off_t>(sizeof(segment_header))) {
    failure = -EINVAL;
    return;
  }
  descriptor_ = from_errno(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  failure = descriptor_ < 0 ? descriptor_ : map(static_cast<size_t>(file.st_size));
  if (failure != 0) return;
  if (header().magic != segment_header::expected_magic || header().size > size_) {
    failure = -EINVAL;
    return;
  }
  header().add_process(platform::own_process());
  header().arriving.fetch_sub(1);
}

shared_segment::~shared_segment() {
  if (base_ != nullptr) munmap(base_, size_);
  const int own = descriptor();
  if (own >= 0) close(own);
}

int shared_segment::map(size_t size) noexcept {
  const int flags = descriptor_ < 0 ? MAP_SHARED | MAP_ANON : MAP_SHARED;
  void* const address = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, descriptor_, 0);
  if (address == MAP_FAILED) return -errno;
  base_ = static_cast<char*>(address);
  size_ = size;
  struct stat file {};
  if (descriptor_ >= 0 && fstat(descriptor_, &file) == 0) {
    device_ = file.st_dev;
    inode_ = file.st_ino;
  }
  return 0;
}

int shared_segment::descriptor() const noexcept {
  struct stat file {};
  const bool is_own = descriptor_ >= 0 && fstat(descriptor_, &file) == 0 && is_file(file.st_dev, file.st_ino);
  return is_own ? descriptor_ : -EBADF;
}

size_t shared_segment::take(size_t size) {
  auto& free = free_[size];
  if (!free.empty()) {
    const size_t offset = free.back();
    free.pop_back();
    std::memset(base_ + offset, 0, size);
    return offset;
  }
  if (size_ - used_ < size) return 0;
  const size_t offset = used_;
  used_ += size;
  return offset;
}

void shared_segment::give_back(size_t offset, size_t size) {
  if (!is_shared_) free_[size].push_back(offset);
}

}  // namespace truefork::posix
