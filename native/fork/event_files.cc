// Files that tell of events, each to one reader: made anew in the state that /proc/self/fdinfo tells;
// proc_pid_fdinfo(5).
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "proc_text.h"
#include "quiet.h"
#include "twins.h"

namespace truefork::fork {

namespace {

using quiet::call;
using quiet::system_call;

// The whole of /proc/self/fdinfo/<fd>, with a null at the end.
descriptor_outcome read_info(descriptor_table& table, int fd) noexcept {
  char name[24];
  quiet::format_decimal(name, static_cast<uint64_t>(fd));
  const long file = call(SYS_openat, table.folder, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return failed("openat", file);
  const int failure = read_whole(file, table.text);
  system_call(SYS_close, file);
  return failure == 0 ? done : failed("read", failure);
}

// "(seconds, nanoseconds)"
timespec time_at(const char* text, const char* key) noexcept {
  timespec time{};
  const char* value = find_value(text, key);
  if (value == nullptr || *value != '(') return time;
  time.tv_sec = static_cast<time_t>(quiet::parse_number(++value));
  value += 2;
  time.tv_nsec = static_cast<long>(quiet::parse_number(value));
  return time;
}

int flags_at(const char* text) noexcept {
  const char* value = find_value(text, "flags:");
  int flags = 0;
  while (value != nullptr && *value >= '0' && *value <= '7') flags = flags * 8 + (*value++ - '0');
  return flags;
}

long twin_of_eventfd(const char* info, int flags) noexcept {
  const int semaphore = number_at(info, "eventfd-semaphore:") != 0 ? EFD_SEMAPHORE : 0;  // Linux 6.5
  const long fd = system_call(SYS_eventfd2, 0, (flags & O_NONBLOCK) | EFD_CLOEXEC | semaphore);
  const uint64_t count = number_at(info, "eventfd-count:", 16);
  if (fd >= 0 && count != 0) call(SYS_write, fd, &count, sizeof count);
  return fd;
}

long twin_of_timerfd(const char* info, int flags) noexcept {
  const long fd = system_call(SYS_timerfd_create, static_cast<long>(number_at(info, "clockid:")),
                              (flags & O_NONBLOCK) | TFD_CLOEXEC);
  if (fd < 0) return fd;
  itimerspec setting{time_at(info, "it_interval:"), time_at(info, "it_value:")};
  const uint64_t ticks = number_at(info, "ticks:");
  // An expiry that nobody has read: the shortest time brings it about again.
  if (ticks != 0 && setting.it_value.tv_sec == 0 && setting.it_value.tv_nsec == 0) setting.it_value.tv_nsec = 1;
  system_call(SYS_timerfd_settime, fd, 0, (long)&setting, 0);
  constexpr long set_ticks = 0x40085400;  // TFD_IOC_SET_TICKS, with CONFIG_CHECKPOINT_RESTORE
  if (ticks != 0) system_call(SYS_ioctl, fd, set_ticks, (long)&ticks);
  return fd;
}

long twin_of_signalfd(const char* info, int flags) noexcept {
  const uint64_t mask = number_at(info, "sigmask:", 16);
  return system_call(SYS_signalfd4, -1, (long)&mask, sizeof mask, (flags & O_NONBLOCK) | SFD_CLOEXEC);
}

long twin_of_epoll(const char* info, int fd, descriptor_table& table) noexcept {
  const long replacement = system_call(SYS_epoll_create1, EPOLL_CLOEXEC);
  if (replacement < 0) return replacement;
  // "tfd: 13 events: 19 data: d  pos:0 ino:40e sdev:10", the last three and all but tfd hexadecimal
  for (const char* line = info; *line != '\0';) {
    if (quiet::starts_with(line, "tfd:")) {
      registration noted{fd, 0, {}};
      const auto next_number = [&line](unsigned base) {
        while (*line != ':') ++line;
        do ++line;
        while (*line == ' ');
        return quiet::parse_number(line, base);
      };
      noted.fd = static_cast<int>(next_number(10));
      noted.event.events = static_cast<uint32_t>(next_number(16));
      noted.event.data.u64 = next_number(16);
      const int failure = table.registrations.add(noted);
      if (failure != 0) {
        system_call(SYS_close, replacement);
        return failure;
      }
    }
    while (*line != '\0' && *line != '\n') ++line;
    if (*line == '\n') ++line;
  }
  return replacement;
}

const char* find_watch_path(const descriptor_table& table, int fd, int watch) noexcept {
  for (const watch_path& known : table.watches) {
    if (known.fd == fd && known.watch == watch) return table.watch_text.items + known.text;
  }
  return nullptr;
}

// The number that follows `key` in the line of one watch.
uint64_t number_in_line(const char* line, const char* key, unsigned base) noexcept {
  for (; *line != '\0' && *line != '\n'; ++line) {
    if (!quiet::starts_with(line, key)) continue;
    while (*line++ != ':') continue;
    return quiet::parse_number(line, base);
  }
  return 0;
}

// Watches are numbered one after the other, freed numbers not given again: those in between are used up.
bool add_watch(long inotify, int wanted, const char* path, uint32_t mask) noexcept {
  for (;;) {
    const long watch = system_call(SYS_inotify_add_watch, inotify, (long)path, mask);
    if (watch == wanted) return true;
    if (watch < 0 || watch > wanted) return false;
    system_call(SYS_inotify_rm_watch, inotify, watch);
  }
}

// The line with the lowest number above `last`, or null.
const char* next_watch(const char* info, int last) noexcept {
  const char* lowest = nullptr;
  int lowest_watch = INT_MAX;
  for (const char* line = info; *line != '\0';) {
    if (quiet::starts_with(line, "inotify wd:")) {
      const int watch = static_cast<int>(number_in_line(line, "wd:", 16));
      if (watch > last && watch < lowest_watch) {
        lowest = line;
        lowest_watch = watch;
      }
    }
    while (*line != '\0' && *line != '\n') ++line;
    if (*line == '\n') ++line;
  }
  return lowest;
}

// Where one watch can't be made again (made before us, or its file has been renamed) the whole stays shared.
long twin_of_inotify(const char* info, int fd, int flags, const descriptor_table& table) noexcept {
  const long replacement = system_call(SYS_inotify_init1, (flags & O_NONBLOCK) | O_CLOEXEC);
  if (replacement < 0) return replacement;
  int watch = 0;
  while (const char* const line = next_watch(info, watch)) {
    watch = static_cast<int>(number_in_line(line, "wd:", 16));
    const char* const path = find_watch_path(table, fd, watch);
    struct stat status {};
    const bool same = path != nullptr && system_call(SYS_stat, (long)path, (long)&status) == 0 &&
                      status.st_ino == number_in_line(line, "ino:", 16);
    const auto mask = static_cast<uint32_t>(number_in_line(line, "mask:", 16));
    if (same && add_watch(replacement, watch, path, mask)) continue;
    system_call(SYS_close, replacement);
    return -ENODATA;
  }
  return replacement;
}

// A descriptor that names the same open file gets a duplicate of the same twin; kcmp(2).
const twin* twin_of_same_file(const descriptor_table& table, int fd) noexcept {
  const long process = system_call(SYS_getpid);
  for (const twin& known : table.twins) {
    if (system_call(SYS_kcmp, process, process, KCMP_FILE, known.fd, fd) == 0) return &known;
  }
  return nullptr;
}

struct kind {
  const char* link;  // of /proc/self/fd/<fd>
  const char* step;
};

constexpr kind eventfd_kind{"anon_inode:[eventfd]", "eventfd2"};
constexpr kind timerfd_kind{"anon_inode:[timerfd]", "timerfd_create"};
constexpr kind signalfd_kind{"anon_inode:[signalfd]", "signalfd4"};
constexpr kind epoll_kind{"anon_inode:[eventpoll]", "epoll_create1"};
constexpr kind inotify_kind{"anon_inode:inotify", "inotify_init1"};
constexpr kind ring_kind{"anon_inode:[io_uring]", "io_uring_setup"};
constexpr const kind* known_kinds[] = {&eventfd_kind, &timerfd_kind, &signalfd_kind,
                                       &epoll_kind,   &inotify_kind, &ring_kind};

const kind* kind_of(int fd) noexcept {
  char path[48];
  char link[64] = {};
  quiet::format_decimal(quiet::format_text(path, "/proc/self/fd/"), static_cast<uint64_t>(fd));
  if (system_call(SYS_readlinkat, AT_FDCWD, (long)path, (long)link, sizeof link - 1) < 0) return nullptr;
  for (const kind* known : known_kinds) {
    if (quiet::starts_with(link, known->link)) return known;
  }
  return nullptr;
}

}  // namespace

descriptor_outcome twin_event_file(descriptor_table& table, int fd, uint64_t inode) noexcept {
  const kind* const known = kind_of(fd);
  if (known == nullptr) return done;
  const descriptor_outcome outcome = read_info(table, fd);
  if (outcome.failure != 0) return outcome;
  const char* const info = table.text.items;
  const int flags = flags_at(info);
  const bool cloexec = (flags & O_CLOEXEC) != 0;
  if (known == &ring_kind) return twin_ring(table, fd, inode, cloexec);
  const bool is_epoll = known == &epoll_kind;
  if (const twin* const same = twin_of_same_file(table, fd)) {
    return duplicate_twin(table, *same, fd, cloexec);
  }
  const long replacement = is_epoll                 ? twin_of_epoll(info, fd, table)
                           : known == &eventfd_kind ? twin_of_eventfd(info, flags)
                           : known == &inotify_kind ? twin_of_inotify(info, fd, flags, table)
                           : known == &timerfd_kind ? twin_of_timerfd(info, flags)
                                                    : twin_of_signalfd(info, flags);
  if (replacement == -ENODATA) return done;
  if (replacement < 0) return failed(known->step, replacement);
  return add_twin(table, {fd, static_cast<int>(replacement), cloexec, is_epoll});
}

}  // namespace truefork::fork
