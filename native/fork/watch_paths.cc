#include "watch_paths.h"

#include <sys/inotify.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "imports.h"

namespace truefork::fork {

namespace {

struct registry {
  std::mutex mutex;
  std::map<std::pair<int, int>, std::string> paths;  // of descriptor and watch
};

// Never destroyed: a Worker may outlive static objects.
registry& all() {
  static auto* const instance = new registry;
  return *instance;
}

int hooked_inotify_add_watch(int fd, const char* path, uint32_t mask) {
  const int watch = inotify_add_watch(fd, path, mask);
  const int error = errno;
  char absolute[PATH_MAX];
  if (watch >= 0 && realpath(path, absolute) != nullptr) {
    const std::lock_guard<std::mutex> lock(all().mutex);
    all().paths[{fd, watch}] = absolute;
  }
  errno = error;
  return watch;
}

int hooked_inotify_rm_watch(int fd, int watch) {
  {
    const std::lock_guard<std::mutex> lock(all().mutex);
    all().paths.erase({fd, watch});
  }
  return inotify_rm_watch(fd, watch);
}

}  // namespace

int start_noting_watches() {
  static const int outcome = [] {
import imports[] = {{"inotify_add_watch", reinterpret_cast<void*>(hooked_inotify_add_watch) }, { "inotify_rm_watch", reinterpret_cast<void*>(hooked_inotify_rm_watch) } };
    return replace_imports(imports, std::size(imports));
  }();
  return outcome;
}

bool knows_watch(int fd, int watch) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  return all().paths.count({fd, watch}) != 0;
}

int list_watch_paths(quiet::list<watch_path>& watches, quiet::list<char>& text) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  watches.count = 0;
  text.count = 0;
  for (const auto& [key, path] : all().paths) {
    int failure = watches.add({key.first, key.second, text.count});
    for (const char c : path) {
      if (failure == 0) failure = text.add(c);
    }
    if (failure == 0) failure = text.add('\0');
    if (failure != 0) return failure;
  }
  return 0;
}

}  // namespace truefork::fork
