// How each kind of descriptor gets its twin: what descriptors.cc shares with one file a kind. Quiet code.
#ifndef TRUEFORK_FORK_TWINS_H_
#define TRUEFORK_FORK_TWINS_H_

#include <sys/stat.h>

#include "descriptors.h"

namespace truefork::fork {

constexpr descriptor_outcome done{};

inline descriptor_outcome failed(const char* step, long failure) noexcept { return {static_cast<int>(failure), step}; }

// Takes the twin over: it is closed if there is no room for it.
descriptor_outcome add_twin(descriptor_table& table, const twin& pair) noexcept;

// A duplicate of a twin, for another descriptor of the same open file.
descriptor_outcome duplicate_twin(descriptor_table& table, const twin& original, int fd, bool cloexec) noexcept;

const twin* find_twin(const descriptor_table& table, int fd) noexcept;

// Whether a pipe or socketpair is to stay one for parent and child.
bool stays_shared(const descriptor_table& table, uint64_t inode) noexcept;

// event_files.cc: eventfd, timerfd, signalfd, epoll, inotify.
descriptor_outcome twin_event_file(descriptor_table& table, int fd, uint64_t inode) noexcept;

// debugger_twins.cc: the sockets of Node's inspector.
bool serves_debugger(const descriptor_table& table, int fd) noexcept;
descriptor_outcome twin_debugger_socket(descriptor_table& table, int fd) noexcept;

// rings.cc: io_uring. The text of the table is its fdinfo. -EAGAIN while it has requests under way.
descriptor_outcome twin_ring(descriptor_table& table, int fd, uint64_t inode, bool cloexec) noexcept;
// In the child, once the twins are in their places.
descriptor_outcome map_rings(descriptor_table& table) noexcept;

// pipes.cc, socketpairs.cc: an end is noted when it is seen, and the pair made anew once all have been.
descriptor_outcome note_pipe_end(descriptor_table& table, int fd, const struct stat& status) noexcept;
descriptor_outcome twin_pipes(descriptor_table& table) noexcept;
descriptor_outcome note_socket(descriptor_table& table, int fd, const struct stat& status) noexcept;
descriptor_outcome twin_socketpairs(descriptor_table& table) noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_TWINS_H_
