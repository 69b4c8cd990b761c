// What each inotify watch of this process watches: the kernel tells no path, and without one there is no second watch.
#ifndef TRUEFORK_FORK_WATCH_PATHS_H_
#define TRUEFORK_FORK_WATCH_PATHS_H_

#include "quiet_list.h"

namespace truefork::fork {

struct watch_path {
  int fd;
  int watch;
  size_t text;  // where its path begins in the list of characters
};

// Has inotify_add_watch(2), as Node's binary calls it, noted from now on. 0 or a negative error number.
int start_noting_watches();

bool knows_watch(int fd, int watch);

// Fills both lists with what is known. 0 or a negative error number.
int list_watch_paths(quiet::list<watch_path>& watches, quiet::list<char>& text);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_WATCH_PATHS_H_
