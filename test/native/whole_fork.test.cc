// fork_all without Node: a child has every thread of its parent, wherever it was and whatever it held.
//   test_whole_fork [forks] [theme...]   how many children; and of which threads: see themes
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>

#include "check.h"
#include "fork/fork.h"
#include "whole_fork/resident.h"
#include "whole_fork/watchdog.h"

namespace {

using whole_fork::resident;

struct theme {
  const char* name;
  void (*add)(whole_fork::population& all);
};

constexpr theme themes[] = {{"waits", whole_fork::add_waits},
                            {"kernel", whole_fork::add_kernel_waits},
                            {"holders", whole_fork::add_holders},
                            {"busy", whole_fork::add_busy},
                            {"rivals", whole_fork::add_rivals}};

bool is_wanted(const char* name, int count, char** arguments) {
  for (int i = 0; i < count; ++i) {
    if (strcmp(arguments[i], name) == 0) return true;
  }
  return count == 0;
}

// Every thread goes on, and all that this one holds is its own. Afterwards there is nobody left.
void expect_whole(std::deque<resident>& residents, const std::vector<std::function<void()>>& releases) {
  for (resident& one : residents) {
    if (one.goes_on()) continue;
    ++test::failures;
    fprintf(stderr, "process %d: the thread \"%s\" doesn't go on\n", getpid(), one.name().c_str());
    abort();  // what the others share with it can't be relied upon
  }
  for (const auto& release : releases) release();
}

constexpr int refused = 1000;

// The child's status, which the watchdog may have brought about, or `refused`.
int run_child(std::deque<resident>& residents, const std::vector<std::function<void()>>& releases,
              const whole_fork::watchdog& dog) {
  const truefork::fork::fork_outcome outcome = truefork::fork::fork_all(false, {});
  if (outcome.pid == 0) {
    expect_whole(residents, releases);
    _exit(test::failures == 0 ? 0 : 1);
  }
  // With busy threads a moment when none is in a lock may not come: that fork fails, and the process is as before.
  if (outcome.pid == -EBUSY) return refused;
  if (outcome.pid < 0) {
    fprintf(stderr, "fork_all: %s: %s, thread %d\n", outcome.step, strerror(-outcome.pid), outcome.tid);
    return 1;
  }
  dog.await(outcome.pid);
  return test::ending(outcome.pid);
}

}  // namespace

int main(int count, char** arguments) {
  if (const char* const reason = truefork::fork::why_not_all_threads()) return test::skip(reason);
  const int forks = count > 1 ? atoi(arguments[1]) : 300;
  const whole_fork::watchdog dog(45);
  // The first fork asks the loader, whose lock a resident is to hold.
  const truefork::fork::fork_outcome first = truefork::fork::fork_all(false, {});
  if (first.pid == 0) _exit(0);
  EXPECT(first.pid > 0 && test::ending(first.pid) == 0);

  whole_fork::population all;
  for (const theme& one : themes) {
    if (is_wanted(one.name, count - 2, arguments + 2)) one.add(all);
  }
  const std::vector<std::function<void()>> releases = whole_fork::hold_locks();
  std::deque<resident> residents;
  for (const resident::role& role : all) residents.emplace_back(role, static_cast<unsigned>(residents.size()));
  for (const resident& one : residents) EXPECT(one.await_place());

  int whole = 0;
  int refusals = 0;
  const bool rests =
      count > 2 && !is_wanted("busy", count - 2, arguments + 2) && !is_wanted("rivals", count - 2, arguments + 2);
  const timespec moment{0, 1'000'000};
  for (int i = 0; i < forks; ++i) {
    const int ending = run_child(residents, releases, dog);
    whole += ending == 0;
    refusals += ending == refused;
    if (ending != 0 && ending != refused) fprintf(stderr, "fork %d: the child ended with %d\n", i + 1, ending);
    nanosleep(&moment, nullptr);
  }
  dog.await(0);
  expect_whole(residents, releases);
  EXPECT(whole + refusals == forks);
  EXPECT(whole > 0 && (refusals == 0 || !rests));
  printf("%d of %d children whole, each with %zu threads; %d forks refused as a thread was in a lock\n", whole, forks,
         residents.size() + 1, refusals);
  return test::failures != 0;
}
