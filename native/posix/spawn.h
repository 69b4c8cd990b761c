// posix_spawn(3) and posix_spawnp(3), with what the C libraries add to POSIX.
#ifndef TRUEFORK_POSIX_SPAWN_H_
#define TRUEFORK_POSIX_SPAWN_H_

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace truefork::posix {

struct file_action {
  enum class kind { open, close, dup2, chdir, fchdir, closefrom, tcsetpgrp, inherit };
  kind kind;
  int fd = -1;
  int new_fd = -1;
  int flags = 0;
  mode_t mode = 0;
  std::string path{};
};

struct scheduler {
  std::optional<int> policy;
  int priority;
};

struct spawn_request {
  std::string path;
  bool search = false;  // as posix_spawnp
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  std::vector<file_action> actions;
  std::optional<pid_t> pgroup;
  std::optional<sigset_t> mask;
  std::optional<sigset_t> defaults;
  std::optional<struct scheduler> scheduler;
  std::optional<int> cgroup;
  bool setsid = false;
  bool resetids = false;
  bool cloexec_default = false;
  bool start_suspended = false;
  bool setexec = false;
  int64_t made_for = 0;  // the thread that will wait for the child, where another makes it
};

struct spawn_outcome {
  pid_t pid = 0;
  int failure = 0;                          // a negative error number
  int refused_action = -1;                  // index of the action that the C library refused to take, or -1
  const char* refused_attribute = nullptr;  // name of the attribute that it refused or lacks
};

spawn_outcome spawn(const spawn_request& request);

}  // namespace truefork::posix

#endif  // TRUEFORK_POSIX_SPAWN_H_
