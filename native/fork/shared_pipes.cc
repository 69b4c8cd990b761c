#include "shared_pipes.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cstdlib>
#include <mutex>
#include <set>

#include "fork.h"

namespace truefork::fork {

namespace {

// A pipe leaves no word when its last descriptor is closed: past so many, the closed ones are looked for.
constexpr size_t first_limit = 1024;

struct registry {
  std::mutex mutex;
  std::set<uint64_t> inodes;
  size_t limit = first_limit;
};

// Never destroyed: a Worker may outlive static objects.
registry& all() {
  static auto* const instance = new registry;
  return *instance;
}

void forget_closed(registry& pipes) {
  std::set<uint64_t> open;
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder)) {
    struct stat status {};
    if (entry->d_name[0] == '.' || fstat(atoi(entry->d_name), &status) != 0) continue;
    if (pipes.inodes.count(status.st_ino) != 0) open.insert(status.st_ino);
  }
  closedir(folder);
  pipes.inodes.swap(open);
  pipes.limit = pipes.inodes.size() * 2 + first_limit;
}

}  // namespace

void share_pipe(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return;
  // The inodes of files are numbered by themselves: a file's may be some pipe's, too.
  if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)) return;
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().inodes.insert(status.st_ino);
  if (all().inodes.size() > all().limit) forget_closed(all());
}

int list_shared_pipes(quiet::list<uint64_t>& inodes) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  inodes.count = 0;
  for (const uint64_t inode : all().inodes) {
    const int failure = inodes.add(inode);
    if (failure != 0) return failure;
  }
  return 0;
}

}  // namespace truefork::fork
