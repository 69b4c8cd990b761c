// Pipes with both their ends in this process: threads talk to themselves by them.
#include <fcntl.h>
#include <sys/ioctl.h>

#include "quiet.h"
#include "twins.h"

namespace truefork::fork {

namespace {

using quiet::system_call;

bool writes(const pipe_end& end) noexcept { return (end.flags & O_ACCMODE) != O_RDONLY; }

const pipe_end* find_end(const descriptor_table& table, uint64_t inode, bool writing) noexcept {
  for (const pipe_end& end : table.pipe_ends) {
    if (end.inode == inode && writes(end) == writing) return &end;
  }
  return nullptr;
}

// One pipe: as large as the old one, with what is in it. tee(2) leaves that where it is.
descriptor_outcome twin_pipe(descriptor_table& table, const pipe_end& reader, const pipe_end& writer) noexcept {
  int ends[2]{};
  const long failure = system_call(SYS_pipe2, (long)ends, O_CLOEXEC);
  if (failure != 0) return failed("pipe2", failure);
  const long size = system_call(SYS_fcntl, reader.fd, F_GETPIPE_SZ);
  const long own_size = system_call(SYS_fcntl, ends[0], F_GETPIPE_SZ);
  if (size > 0 && size != own_size) system_call(SYS_fcntl, ends[0], F_SETPIPE_SZ, size);
  int waiting = 0;
  system_call(SYS_ioctl, reader.fd, FIONREAD, (long)&waiting);
  if (waiting > 0) system_call(SYS_tee, reader.fd, ends[1], INT_MAX, SPLICE_F_NONBLOCK);
  constexpr int kept = O_NONBLOCK | O_DIRECT;
  system_call(SYS_fcntl, ends[0], F_SETFL, reader.flags & kept);
  system_call(SYS_fcntl, ends[1], F_SETFL, writer.flags & kept);
  const descriptor_outcome outcome = add_twin(table, {reader.fd, ends[0], reader.cloexec, false});
  if (outcome.failure != 0) {
    system_call(SYS_close, ends[1]);
    return outcome;
  }
  return add_twin(table, {writer.fd, ends[1], writer.cloexec, false});
}

}  // namespace

descriptor_outcome note_pipe_end(descriptor_table& table, int fd, const struct stat& status) noexcept {
  // A named pipe is found again by its name: it is meant for others.
  if (status.st_dev != table.pipe_device || stays_shared(table, status.st_ino)) return done;
  const long flags = system_call(SYS_fcntl, fd, F_GETFL);
  const bool cloexec = system_call(SYS_fcntl, fd, F_GETFD) == FD_CLOEXEC;
  const int failure = table.pipe_ends.add({fd, static_cast<int>(flags), cloexec, status.st_ino});
  return failure == 0 ? done : failed("mmap", failure);
}

descriptor_outcome twin_pipes(descriptor_table& table) noexcept {
  for (const pipe_end& end : table.pipe_ends) {
    const pipe_end* const reader = find_end(table, end.inode, false);
    const pipe_end* const writer = find_end(table, end.inode, true);
    if (reader == nullptr || writer == nullptr) continue;  // somebody else has the other end
    descriptor_outcome outcome;
    if (find_twin(table, reader->fd) == nullptr) outcome = twin_pipe(table, *reader, *writer);
    if (outcome.failure == 0 && find_twin(table, end.fd) == nullptr) {
      outcome = duplicate_twin(table, *find_twin(table, writes(end) ? writer->fd : reader->fd), end.fd, end.cloexec);
    }
    if (outcome.failure != 0) return outcome;
  }
  return done;
}

}  // namespace truefork::fork
