// This platform's values of the names that the interface uses.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../platform/platform.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// clang-format takes #name for a directive.
// clang-format off
#define TRUEFORK_CONSTANT(name) {#name, name}
// clang-format on

constexpr platform::constant table[] = {
    // spawnv(3) of other systems, and Python's os: no system call knows these two.
    {"P_WAIT", 0},
    {"P_NOWAIT", 1},
    {"NSIG", NSIG},
    TRUEFORK_CONSTANT(WNOHANG),
    TRUEFORK_CONSTANT(WUNTRACED),
    TRUEFORK_CONSTANT(WCONTINUED),
    TRUEFORK_CONSTANT(WEXITED),
    TRUEFORK_CONSTANT(WSTOPPED),
    TRUEFORK_CONSTANT(WNOWAIT),
    TRUEFORK_CONSTANT(P_ALL),
    TRUEFORK_CONSTANT(P_PID),
    TRUEFORK_CONSTANT(P_PGID),
    TRUEFORK_CONSTANT(CLD_EXITED),
    TRUEFORK_CONSTANT(CLD_KILLED),
    TRUEFORK_CONSTANT(CLD_DUMPED),
    TRUEFORK_CONSTANT(CLD_TRAPPED),
    TRUEFORK_CONSTANT(CLD_STOPPED),
    TRUEFORK_CONSTANT(CLD_CONTINUED),
    TRUEFORK_CONSTANT(O_RDONLY),
    TRUEFORK_CONSTANT(O_WRONLY),
    TRUEFORK_CONSTANT(O_RDWR),
    TRUEFORK_CONSTANT(O_CREAT),
    TRUEFORK_CONSTANT(O_EXCL),
    TRUEFORK_CONSTANT(O_TRUNC),
    TRUEFORK_CONSTANT(O_APPEND),
    TRUEFORK_CONSTANT(O_NONBLOCK),
    TRUEFORK_CONSTANT(O_NOCTTY),
    TRUEFORK_CONSTANT(O_CLOEXEC),
    TRUEFORK_CONSTANT(O_DIRECTORY),
    TRUEFORK_CONSTANT(O_NOFOLLOW),
    TRUEFORK_CONSTANT(O_SYNC),
    TRUEFORK_CONSTANT(F_DUPFD),
    TRUEFORK_CONSTANT(F_DUPFD_CLOEXEC),
    TRUEFORK_CONSTANT(F_GETFD),
    TRUEFORK_CONSTANT(F_SETFD),
    TRUEFORK_CONSTANT(F_GETFL),
    TRUEFORK_CONSTANT(F_SETFL),
    TRUEFORK_CONSTANT(F_GETOWN),
    TRUEFORK_CONSTANT(F_SETOWN),
    TRUEFORK_CONSTANT(FD_CLOEXEC),
    TRUEFORK_CONSTANT(SCHED_OTHER),
    TRUEFORK_CONSTANT(SCHED_FIFO),
    TRUEFORK_CONSTANT(SCHED_RR),
    TRUEFORK_CONSTANT(RLIMIT_AS),
    TRUEFORK_CONSTANT(RLIMIT_CORE),
    TRUEFORK_CONSTANT(RLIMIT_CPU),
    TRUEFORK_CONSTANT(RLIMIT_DATA),
    TRUEFORK_CONSTANT(RLIMIT_FSIZE),
    TRUEFORK_CONSTANT(RLIMIT_MEMLOCK),
    TRUEFORK_CONSTANT(RLIMIT_NOFILE),
    TRUEFORK_CONSTANT(RLIMIT_NPROC),
    TRUEFORK_CONSTANT(RLIMIT_RSS),
    TRUEFORK_CONSTANT(RLIMIT_STACK),
    TRUEFORK_CONSTANT(SIG_BLOCK),
    TRUEFORK_CONSTANT(SIG_UNBLOCK),
    TRUEFORK_CONSTANT(SIG_SETMASK),
    TRUEFORK_CONSTANT(SOCK_STREAM),
    TRUEFORK_CONSTANT(SOCK_DGRAM),
    TRUEFORK_CONSTANT(SOCK_SEQPACKET),
};

#undef TRUEFORK_CONSTANT

}  // namespace

Napi::Object constants(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  for (const platform::constant& row : table) object.Set(row.name, to_number(env, row.value));
  for (const auto* row = platform::own_constants; row->name != nullptr; ++row) {
    object.Set(row->name, to_number(env, row->value));
  }
  return object;
}

}  // namespace truefork::napi
