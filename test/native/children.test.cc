#include "posix/children.h"

#include <pthread.h>

#include <atomic>
#include <thread>

#include "check.h"

namespace children = truefork::children;

namespace {

void list_holds_what_was_added() {
  EXPECT(children::list().empty());
  children::add(11);
  children::add(12);
  children::add(11);
  EXPECT((children::list() == std::vector<pid_t>{11, 12}));
  EXPECT(children::contains(12));
  children::remove(12);
  children::remove(13);
  EXPECT(!children::contains(12));
  EXPECT((children::list() == std::vector<pid_t>{11}));
}

// Another thread keeps the list's lock busy all the time: no child may inherit it locked.
void child_of_a_busy_process_has_an_empty_list_that_works() {
  std::atomic<bool> done{false};
  std::thread busy([&done] {
    for (pid_t pid = 1000; !done; ++pid) {
      children::add(pid);
      children::remove(pid);
    }
  });
  for (int turn = 0; turn < 200; ++turn) {
    children::lock_for_fork();
    const pid_t pid = ::fork();
    if (pid == 0) {
      alarm(10);  // a lock that nobody will open
      children::unlock_in_child();
      const bool was_empty = children::list().empty();
      children::add(5);
      _exit(was_empty && children::contains(5) ? 0 : 1);
    }
    children::unlock_in_parent();
    EXPECT(test::ending(pid) == 0);
  }
  done = true;
  busy.join();
  EXPECT((children::list() == std::vector<pid_t>{11}));
}

}  // namespace

int main() {
  list_holds_what_was_added();
  child_of_a_busy_process_has_an_empty_list_that_works();
  return test::failures != 0;
}
