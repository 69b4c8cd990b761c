#include "children.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace truefork::children {

namespace {

// Never destroyed: a Worker may still be waiting when static objects are torn down.
struct registry {
  std::mutex mutex;
  std::map<pid_t, int64_t> pids;                  // and the thread that the child was made for by another, or 0
  std::set<std::pair<int64_t, pid_t>> by_thread;  // those that have such a thread
  std::set<pid_t> kept;

  void erase(pid_t pid) {
    kept.erase(pid);
    const auto found = pids.find(pid);
    if (found == pids.end()) return;
    by_thread.erase({found->second, pid});
    pids.erase(found);
  }
  void clear() {
    pids.clear();
    by_thread.clear();
    kept.clear();
  }
};

registry& all() {
  static auto* const instance = new registry;
  return *instance;
}

}  // namespace

void add(pid_t pid) { add_for(0, pid); }

void add_for(int64_t tid, pid_t pid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().erase(pid);
  all().pids.emplace(pid, tid);
  if (tid != 0) all().by_thread.emplace(tid, pid);
}

std::vector<pid_t> list_for(int64_t tid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  std::vector<pid_t> pids;
  const auto& owned = all().by_thread;
  for (auto at = owned.lower_bound({tid, 0}); at != owned.end() && at->first == tid; ++at) pids.push_back(at->second);
  return pids;
}

void remove(pid_t pid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().erase(pid);
}

bool contains(pid_t pid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  return all().pids.count(pid) != 0;
}

void keep(pid_t pid) {
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().kept.insert(pid);
}

std::vector<pid_t> kept() {
  const std::lock_guard<std::mutex> lock(all().mutex);
  return {all().kept.begin(), all().kept.end()};
}

std::vector<pid_t> list() {
  const std::lock_guard<std::mutex> lock(all().mutex);
  std::vector<pid_t> pids;
  pids.reserve(all().pids.size());
  for (const auto& [pid, owner] : all().pids) pids.push_back(pid);
  return pids;
}

void clear() {
  const std::lock_guard<std::mutex> lock(all().mutex);
  all().clear();
}

void lock_for_fork() { all().mutex.lock(); }

void unlock_in_parent() { all().mutex.unlock(); }

void unlock_in_child() {
  all().clear();
  all().mutex.unlock();
}

}  // namespace truefork::children
