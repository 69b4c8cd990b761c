// Reading the text of /proc in quiet code.
#ifndef TRUEFORK_FORK_PROC_TEXT_H_
#define TRUEFORK_FORK_PROC_TEXT_H_

#include <fcntl.h>

#include "quiet_list.h"

namespace truefork::fork {

// Reads an open file to its end, and puts a null there. 0 or a negative error number.
inline int read_whole(long file, quiet::list<char>& text) noexcept {
  text.count = 0;
  for (;;) {
    const int failure = text.reserve(text.count + 8192);
    if (failure != 0) return failure;
    const long size =
        quiet::call(SYS_read, file, text.items + text.count, static_cast<long>(text.capacity - text.count - 1));
    if (size < 0) return static_cast<int>(size);
    if (size == 0) break;
    text.count += static_cast<size_t>(size);
  }
  text.items[text.count] = '\0';
  return 0;
}

// The mappings of this process. 0 or a negative error number.
inline int read_maps(quiet::list<char>& text) noexcept {
  const long file = quiet::call(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return static_cast<int>(file);
  const int failure = read_whole(file, text);
  quiet::system_call(SYS_close, file);
  return failure;
}

// What follows `key` in a file of /proc, past white space; null where there is no such line.
inline const char* find_value(const char* text, const char* key) noexcept {
  while (*text != '\0') {
    if (quiet::starts_with(text, key)) {
      while (*text != ':') ++text;
      do ++text;
      while (*text == ' ' || *text == '\t');
      return text;
    }
    while (*text != '\0' && *text != '\n') ++text;
    if (*text == '\n') ++text;
  }
  return nullptr;
}

inline uint64_t number_at(const char* text, const char* key, unsigned base = 10) noexcept {
  const char* value = find_value(text, key);
  return value == nullptr ? 0 : quiet::parse_number(value, base);
}

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_PROC_TEXT_H_
