#include "shared_memory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

#include "result.h"
#include "shared_segment.h"

namespace truefork::posix {

namespace {

constexpr size_t alignment = 64;
constexpr size_t smallest_segment = size_t{1} << 16U;
constexpr size_t largest_segment = size_t{1} << 22U;  // for many blocks; a large block has one of its own

// Never destroyed: a Worker may still be ending when static objects are torn down.
struct registry {
  std::mutex mutex;
  std::vector<std::weak_ptr<shared_segment>> segments;
  std::shared_ptr<shared_segment> current;  // that new blocks come from
  size_t next_size = smallest_segment;
};

registry& all() {
  static auto* const instance = new registry;
  return *instance;
}

template <typename Action>
void for_each_segment(const Action& action) {
  for (const auto& weak : all().segments) {
    if (const auto segment = weak.lock()) action(*segment);
  }
}

std::shared_ptr<shared_segment> noted(std::shared_ptr<shared_segment> segment) {
  auto& segments = all().segments;
  const auto is_gone = [](const auto& weak) { return weak.expired(); };
  segments.erase(std::remove_if(segments.begin(), segments.end(), is_gone), segments.end());
  segments.push_back(segment);
  return segment;
}

// Powers of 2 for the small ones, so that what is given back fits again.
size_t rounded(size_t size) noexcept {
  size_t result = alignment;
  while (result < size && result < largest_segment) result *= 2;
  return result >= size ? result : (size + alignment - 1) / alignment * alignment;
}

int make_segment(size_t size, std::shared_ptr<shared_segment>& made) {
  int failure = 0;
  auto segment = std::make_shared<shared_segment>(size, failure);
  if (failure == 0) made = noted(std::move(segment));
  return failure;
}

int take(size_t size, std::shared_ptr<shared_segment>& segment, size_t& offset) {
  if (size > largest_segment / 4) {
    const int failure = make_segment(size + sizeof(segment_header), segment);
    offset = failure == 0 ? segment->take(size) : 0;
    return failure;
  }
  registry& own = all();
  offset = own.current == nullptr ? 0 : own.current->take(size);
  if (offset == 0) {
    const bool was_full = own.current != nullptr;
    if (was_full) own.next_size = std::min(own.next_size * 2, largest_segment);
    while (own.next_size < 2 * size) own.next_size *= 2;
    const int failure = make_segment(own.next_size, own.current);
    if (failure != 0) return failure;
    offset = own.current->take(size);
  }
  segment = own.current;
  return 0;
}

std::shared_ptr<shared_segment> find_segment(int descriptor) {
  struct stat file {};
  if (fstat(descriptor, &file) != 0) return nullptr;
  for (const auto& weak : all().segments) {
    auto segment = weak.lock();
    if (segment != nullptr && segment->is_file(file.st_dev, file.st_ino)) return segment;
  }
  return nullptr;
}

}  // namespace

shared_block::shared_block(std::shared_ptr<shared_segment> segment, size_t offset, size_t size) noexcept
    : segment_(std::move(segment)), offset_(offset), size_(size) {}

shared_block& shared_block::operator=(shared_block&& other) noexcept {
  std::swap(segment_, other.segment_);
  std::swap(offset_, other.offset_);
  std::swap(size_, other.size_);
  return *this;
}

shared_block::~shared_block() {
  if (segment_ == nullptr) return;
  const std::lock_guard<std::mutex> lock(all().mutex);
  segment_->give_back(offset_, rounded(size_));
  segment_.reset();
}

void* shared_block::data() const noexcept { return segment_->base() + offset_; }

int shared_block::descriptor() noexcept {
  const std::lock_guard<std::mutex> lock(all().mutex);
  const int descriptor = segment_->descriptor();
  if (descriptor < 0) return descriptor;
  segment_->share();
  if (all().current == segment_) all().current.reset();
  segment_->header().arriving.fetch_add(1);
  return descriptor;
}

bool shared_block::is_shared_with_none_but(pid_t other) const noexcept {
  const segment_header& header = segment_->header();
  if (header.arriving.load() != 0) return false;
  const pid_t self = ::getpid();
  return std::all_of(std::begin(header.processes), std::end(header.processes), [self, other](const auto& place) {
    const platform::thread_mark process = place.load();
    if (process == 0) return true;
    const pid_t pid = platform::pid_of(process);
    return pid == self || pid == other || platform::has_ended(process);
  });
}

int allocate_shared(size_t size, shared_block& block) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  std::shared_ptr<shared_segment> segment;
  size_t offset = 0;
  const int failure = take(rounded(size), segment, offset);
  if (failure == 0) block = shared_block(std::move(segment), offset, size);
  return failure;
}

int attach_shared(int descriptor, size_t offset, size_t size, shared_block& block) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  auto segment = find_segment(descriptor);
  if (segment != nullptr) {
    segment->header().arriving.fetch_sub(1);
  } else {
    int failure = 0;
    segment = std::make_shared<shared_segment>(descriptor, failure);
    if (failure != 0) return failure;
    noted(segment);
  }
  const bool is_inside = offset >= sizeof(segment_header) && offset % alignment == 0 && offset <= segment->size() &&
                         size <= segment->size() - offset;
  if (!is_inside) return -EINVAL;
  block = shared_block(std::move(segment), offset, size);
  return 0;
}

shared_memory_at_fork::shared_memory_at_fork() : lock_(all().mutex) {
  for_each_segment([](shared_segment& segment) { segment.header().arriving.fetch_add(1); });
}

void shared_memory_at_fork::in_child() noexcept {
  platform::thread_mark self = 0;  // asked only if there is a segment: most programs have none
  for_each_segment([&self](shared_segment& segment) {
    if (self == 0) self = platform::own_process();
    segment.share();
    segment.header().add_process(self);
    segment.header().arriving.fetch_sub(1);
  });
  all().current.reset();
  lock_.unlock();
}

void shared_memory_at_fork::in_parent(bool has_child) noexcept {
  for_each_segment([has_child](shared_segment& segment) {
    if (has_child) {
      segment.share();
    } else {
      segment.header().arriving.fetch_sub(1);
    }
  });
  if (has_child) all().current.reset();
  lock_.unlock();
}

}  // namespace truefork::posix
