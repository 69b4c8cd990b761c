#include "descriptors.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>

#include "quiet.h"
#include "twins.h"

namespace truefork::fork {

namespace {

using quiet::call;
using quiet::system_call;

descriptor_outcome list_open(descriptor_table& table) noexcept {
  table.open.count = 0;
  alignas(8) char buffer[8192]{};
  for (;;) {
    const long size = call(SYS_getdents64, table.folder, buffer, sizeof buffer);
    if (size < 0) return failed("getdents64", size);
    if (size == 0) return done;
    for (long at = 0; at < size;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      const char* name = entry->d_name;
      if (*name == '.') continue;
      const int fd = static_cast<int>(quiet::parse_number(name));
      const int failure = fd == table.folder ? 0 : table.open.add(fd);
      if (failure != 0) return failed("mmap", failure);
    }
  }
}

descriptor_outcome twin_of(descriptor_table& table, int fd) noexcept {
  struct stat status {};
  if (system_call(SYS_fstat, fd, (long)&status) != 0) return done;
  switch (status.st_mode & S_IFMT) {
    case 0:  // an anonymous inode
      return twin_event_file(table, fd, status.st_ino);
    case S_IFIFO:
      return note_pipe_end(table, fd, status);
    case S_IFSOCK:
      return serves_debugger(table, fd) ? twin_debugger_socket(table, fd) : note_socket(table, fd, status);
    default:
      return done;
  }
}

descriptor_outcome make_each_twin(descriptor_table& table) noexcept {
  descriptor_outcome outcome = list_open(table);
  for (size_t i = 0; i < table.open.count && outcome.failure == 0; ++i) outcome = twin_of(table, table.open.items[i]);
  if (outcome.failure == 0) outcome = twin_pipes(table);
  if (outcome.failure == 0) outcome = twin_socketpairs(table);
  return outcome;
}

}  // namespace

descriptor_outcome add_twin(descriptor_table& table, const twin& pair) noexcept {
  const int failure = table.twins.add(pair);
  if (failure == 0) return done;
  system_call(SYS_close, pair.replacement);
  return failed("mmap", failure);
}

descriptor_outcome duplicate_twin(descriptor_table& table, const twin& original, int fd, bool cloexec) noexcept {
  const long duplicate = system_call(SYS_fcntl, original.replacement, F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) return failed("fcntl", duplicate);
  return add_twin(table, {fd, static_cast<int>(duplicate), cloexec, original.is_epoll});
}

const twin* find_twin(const descriptor_table& table, int fd) noexcept {
  for (const twin& known : table.twins) {
    if (known.fd == fd) return &known;
  }
  return nullptr;
}

bool stays_shared(const descriptor_table& table, uint64_t inode) noexcept {
  const auto is_same = [inode](uint64_t shared) { return shared == inode; };
  return std::any_of(table.shared_inodes.begin(), table.shared_inodes.end(), is_same);
}

descriptor_outcome make_twins(descriptor_table& table) noexcept {
  table.twins.count = 0;
  table.debugger_peers.count = 0;
  table.registrations.count = 0;
  table.pipe_ends.count = 0;
  table.sockets.count = 0;
  table.rings.count = 0;
  table.folder = call(SYS_openat, AT_FDCWD, "/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (table.folder < 0) return failed("openat", table.folder);
  const descriptor_outcome outcome = make_each_twin(table);
  system_call(SYS_close, table.folder);
  if (outcome.failure != 0) close_twins(table);
  return outcome;
}

descriptor_outcome use_twins(descriptor_table& table) noexcept {
  for (const twin& pair : table.twins) {
    const long outcome = call(SYS_dup3, pair.replacement, pair.fd, pair.cloexec ? O_CLOEXEC : 0);
    if (outcome < 0) return failed("dup3", outcome);
    system_call(SYS_close, pair.replacement);
  }
  for (const registration& noted : table.registrations) {
    const long outcome = system_call(SYS_epoll_ctl, noted.epoll, EPOLL_CTL_ADD, noted.fd, (long)&noted.event);
    // A number that has been closed while a duplicate keeps its file registered can't be registered again.
    if (outcome < 0 && outcome != -EBADF && outcome != -EEXIST && outcome != -EPERM)
      return failed("epoll_ctl", outcome);
  }
  return map_rings(table);
}

void close_twins(descriptor_table& table) noexcept {
  for (const twin& pair : table.twins) system_call(SYS_close, pair.replacement);
  for (const int peer : table.debugger_peers) system_call(SYS_close, peer);
  table.twins.count = 0;
  table.debugger_peers.count = 0;
}

}  // namespace truefork::fork
