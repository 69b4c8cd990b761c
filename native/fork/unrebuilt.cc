// Descriptors that a child of fork_all shares with its parent though each event goes to one of the two only.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fork.h"
#include "watch_paths.h"

namespace truefork::fork {

namespace {

// Calls `look` with each line of /proc/self/fdinfo/<fd>.
template <typename Look>
void for_each_line(int fd, Look look) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE* const info = fopen(path, "re");
  if (info == nullptr) return;
  char* line = nullptr;
  size_t capacity = 0;
  while (getline(&line, &capacity, info) > 0) look(line);
  free(line);
  fclose(info);
}

// An inotify is made anew unless one of its watches was set before this addon was loaded.
bool has_unknown_watch(int fd) {
  bool unknown = false;
  for_each_line(fd, [&](const char* line) {
    unsigned watch = 0;
    if (sscanf(line, "inotify wd:%x", &watch) == 1) unknown = unknown || !knows_watch(fd, static_cast<int>(watch));
  });
  return unknown;
}

// A ring is made anew unless the kernel serves it by a thread, or holds files or buffers for it.
bool is_more_than_memory(int fd) {
  bool more = false;
  for_each_line(fd, [&](const char* line) {
    int value = 0;
    if (sscanf(line, "SqThread: %d", &value) == 1) more = more || value != -1;
    if (sscanf(line, "UserFiles: %d", &value) == 1 || sscanf(line, "UserBufs: %d", &value) == 1)
      more = more || value != 0;
  });
  return more;
}

bool is_unrebuilt(int fd, const std::string& name) {
  if (name == "inotify") return has_unknown_watch(fd);
  if (name == "[io_uring]") return is_more_than_memory(fd);
  return name == "[fanotify]" || name == "[userfaultfd]" || name == "[perf_event]";
}

}  // namespace

std::vector<unrebuilt_descriptor> unrebuilt_descriptors() {
  std::vector<unrebuilt_descriptor> found;
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    char link[64] = {};
    if (readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1) < 0) continue;
    constexpr const char prefix[] = "anon_inode:";
    if (strncmp(link, prefix, sizeof prefix - 1) != 0) continue;
    const int fd = atoi(entry->d_name);
    std::string name = link + sizeof prefix - 1;
    if (!is_unrebuilt(fd, name)) continue;
    if (name.front() == '[') name = name.substr(1, name.size() - 2);
    found.push_back({fd, name});
  }
  closedir(folder);
  return found;
}

}  // namespace truefork::fork
