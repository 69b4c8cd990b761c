#include "message_log.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "result.h"

namespace truefork::posix {

namespace {

// At the file's begin. It lies in one page, and a write within a page isn't torn by a signal.
struct log_state {
  uint64_t limit;
  uint64_t head;  // where the first message begins, and where the next will; from first_byte on
  uint64_t tail;
  uint64_t count;
  uint64_t unfinished;
};

constexpr off_t first_byte = 4096;
// Space of messages that were taken is given back from so much on, and when it is more than what is left.
constexpr uint64_t much = 1 << 20;

class locked {
 public:
  explicit locked(int file) noexcept : file_(file), failure_(set(F_WRLCK)) {}
  ~locked() {
    if (failure_ == 0) set(F_UNLCK);
  }
  locked(const locked&) = delete;
  locked& operator=(const locked&) = delete;
  int failure() const noexcept { return failure_; }

 private:
  int set(short type) const noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    while (::fcntl(file_, F_SETLKW, &lock) != 0) {
      if (errno != EINTR) return -errno;
    }
    return 0;
  }

  int file_;
  int failure_;
};

// All of it, or a negative error number. A file that is shorter than it should be is -EIO.
int read_at(int file, void* data, size_t size, off_t offset) noexcept {
  auto* const bytes = static_cast<char*>(data);
  for (size_t done = 0; done < size;) {
    const ssize_t count = pread(file, bytes + done, size - done, offset + static_cast<off_t>(done));
    if (count == 0) return -EIO;
    if (count < 0 && errno != EINTR) return -errno;
    if (count > 0) done += static_cast<size_t>(count);
  }
  return 0;
}

int write_at(int file, const void* data, size_t size, off_t offset) noexcept {
  const auto* const bytes = static_cast<const char*>(data);
  for (size_t done = 0; done < size;) {
    const ssize_t count = pwrite(file, bytes + done, size - done, offset + static_cast<off_t>(done));
    if (count < 0 && errno != EINTR) return -errno;
    if (count > 0) done += static_cast<size_t>(count);
  }
  return 0;
}

int read_state(int file, log_state& state) noexcept { return read_at(file, &state, sizeof state, 0); }
int write_state(int file, const log_state& state) noexcept { return write_at(file, &state, sizeof state, 0); }

// Raised before it becomes true and lowered after it has ceased to be, as a process may be killed between: then it is
// up for nothing, and whoever comes for that lowers it.
void raise(const flag_pipe& flag) noexcept {
  if (flag.write_end < 0) return;
  while (write(flag.write_end, "", 1) < 0 && errno == EINTR) {
  }
}

void lower(const flag_pipe& flag) noexcept {
  if (flag.read_end < 0) return;
  char bytes[64];
  for (;;) {
    const ssize_t count = read(flag.read_end, bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno != EINTR)) return;
  }
}

off_t at(uint64_t position) noexcept { return first_byte + static_cast<off_t>(position); }

// The messages that are left move to the begin, over those that are gone: no byte of theirs is overwritten.
void move_to_begin(int file, log_state state) {
  std::vector<char> bytes(std::min<uint64_t>(state.tail - state.head, much));
  const uint64_t size = state.tail - state.head;
  for (uint64_t done = 0; done < size;) {
    const size_t piece = std::min<uint64_t>(bytes.size(), size - done);
    if (read_at(file, bytes.data(), piece, at(state.head + done)) != 0) return;
    if (write_at(file, bytes.data(), piece, at(done)) != 0) return;
    done += piece;
  }
  state.head = 0;
  state.tail = size;
  if (write_state(file, state) == 0) static_cast<void>(ftruncate(file, at(size)) == 0);
}

void give_space_back(const message_log& log, const log_state& state, uint64_t tail_before) {
  if (state.count == 0) {
    if (tail_before >= much) static_cast<void>(ftruncate(log.file, first_byte) == 0);
  } else if (state.head >= much && state.head >= state.tail - state.head) {
    move_to_begin(log.file, state);
  }
}

}  // namespace

int begin_log(const message_log& log, uint64_t limit) noexcept {
  const log_state state{limit, 0, 0, 0, 0};
  raise(log.has_room);
  raise(log.is_done);
  return write_state(log.file, state);
}

int put_message(const message_log& log, const void* data, size_t size) noexcept {
  const locked lock(log.file);
  if (lock.failure() != 0) return lock.failure();
  log_state state{};
  int failure = read_state(log.file, state);
  if (failure != 0) return failure;
  if (state.limit != 0 && state.count >= state.limit) {
    lower(log.has_room);
    return -EAGAIN;
  }
  const uint64_t length = size;
  failure = write_at(log.file, data, size, at(state.tail + sizeof length));
  if (failure == 0) failure = write_at(log.file, &length, sizeof length, at(state.tail));
  if (failure != 0) return failure;
  if (state.count == 0) raise(log.has_messages);
  const bool was_done = state.unfinished == 0;
  state.tail += sizeof length + size;
  ++state.count;
  ++state.unfinished;
  failure = write_state(log.file, state);
  if (failure != 0) return failure;
  if (state.count == state.limit) lower(log.has_room);
  if (was_done) lower(log.is_done);
  return 0;
}

int take_message(const message_log& log, std::vector<char>& message) {
  const locked lock(log.file);
  if (lock.failure() != 0) return lock.failure();
  log_state state{};
  int failure = read_state(log.file, state);
  if (failure != 0) return failure;
  if (state.count == 0) {
    lower(log.has_messages);
    return -EAGAIN;
  }
  uint64_t length = 0;
  failure = read_at(log.file, &length, sizeof length, at(state.head));
  if (failure != 0) return failure;
  message.resize(length);
  failure = read_at(log.file, message.data(), length, at(state.head + sizeof length));
  if (failure != 0) return failure;
  if (state.count == state.limit) raise(log.has_room);
  const uint64_t tail_before = state.tail;
  state.head += sizeof length + length;
  if (--state.count == 0) state.head = state.tail = 0;
  failure = write_state(log.file, state);
  if (failure != 0) return failure;
  if (state.count == 0) lower(log.has_messages);
  give_space_back(log, state, tail_before);
  return 0;
}

int finish_message(const message_log& log) noexcept {
  const locked lock(log.file);
  if (lock.failure() != 0) return lock.failure();
  log_state state{};
  const int failure = read_state(log.file, state);
  if (failure != 0) return failure;
  if (state.unfinished == 0) return -EINVAL;
  if (--state.unfinished == 0) raise(log.is_done);
  return write_state(log.file, state);
}

int64_t count_messages(const message_log& log) noexcept {
  log_state state{};
  const int failure = read_state(log.file, state);
  return failure != 0 ? failure : static_cast<int64_t>(state.count);
}

int64_t count_unfinished(const message_log& log) noexcept {
  const locked lock(log.file);
  if (lock.failure() != 0) return lock.failure();
  log_state state{};
  const int failure = read_state(log.file, state);
  if (failure != 0) return failure;
  if (state.unfinished != 0) lower(log.is_done);
  return static_cast<int64_t>(state.unfinished);
}

}  // namespace truefork::posix
