#include "children.h"

#include <mutex>
#include <set>

namespace truefork::children {

namespace {

// Never destroyed: a Worker may still be waiting when static objects are torn down.
struct registry {
  std::mutex mutex;
  std::set<pid_t> pids;
};

registry& all() {
  static auto* const instance = new registry;
  return *instance;
}

}  // namespace

void add(pid_t pid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().pids.insert(pid);
}

void remove(pid_t pid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().pids.erase(pid);
}

bool contains(pid_t pid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  return all().pids.count(pid) != 0;
}

std::vector<pid_t> list() {
  const std::lock_guard<std::mutex> lock(all().mutex);
  return {all().pids.begin(), all().pids.end()};
}

void clear() {
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().pids.clear();
}

void lock_for_fork() { all().mutex.lock(); }

void unlock_in_parent() { all().mutex.unlock(); }

void unlock_in_child() {
  all().pids.clear();
  all().mutex.unlock();
}

}  // namespace truefork::children
