// What a test program needs: it says what is wrong and where, and goes on.
#ifndef TRUEFORK_TEST_NATIVE_CHECK_H_
#define TRUEFORK_TEST_NATIVE_CHECK_H_

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

namespace test {

inline std::atomic<int> failures{0};

inline void expect(bool holds, const char* text, const char* file, int line) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "%s:%d: %s doesn't hold\n", file, line, text);
}

// ctest's SKIP_RETURN_CODE.
inline int skip(const char* reason) {
  std::fprintf(stderr, "skipped: %s\n", reason);
  return 77;
}

// Runs `body` in a child, which ends with the status that it returns, or with 99 where an expectation failed there.
template <typename Body>
pid_t in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  failures = 0;
  const int status = body();
  _exit(failures == 0 ? status : 99);
}

// The exit code of a child, or minus the signal that ended it. For children that the code under test must not see.
inline int ending(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return -1000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace test

#define EXPECT(condition) test::expect((condition), #condition, __FILE__, __LINE__)

#endif  // TRUEFORK_TEST_NATIVE_CHECK_H_
