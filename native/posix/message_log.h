// Messages in a file that processes share, first in, first out. Each change is made under a record lock, which the
// kernel takes away from a process that ends, and becomes true by one write: whoever is killed midway has changed
// nothing.
#ifndef TRUEFORK_POSIX_MESSAGE_LOG_H_
#define TRUEFORK_POSIX_MESSAGE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace truefork::posix {

// A pipe that can be read while something is true, for event loops to wait by. -1: nobody wants to know.
struct flag_pipe {
  int read_end;
  int write_end;
};

struct message_log {
  int file;
  flag_pipe has_messages;
  flag_pipe has_room;
  flag_pipe is_done;  // finish() has been called for all that was put
};

// Every one returns a negative error number on failure, and has changed nothing then.

// Makes an empty file such a log. `limit`: how many messages it holds at most, 0: as many as there is space for.
int begin_log(const message_log& log, uint64_t limit) noexcept;

// -EAGAIN: full.
int put_message(const message_log& log, const void* data, size_t size) noexcept;

// -EAGAIN: empty.
int take_message(const message_log& log, std::vector<char>& message);

// For one message that was taken. -EINVAL: called more often than there were messages.
int finish_message(const message_log& log) noexcept;

// How many messages there are, and how many haven't been finished.
int64_t count_messages(const message_log& log) noexcept;
int64_t count_unfinished(const message_log& log) noexcept;

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_MESSAGE_LOG_H_
