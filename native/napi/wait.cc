#include "../posix/wait.h"

#include <sys/wait.h>

#include "../platform/platform.h"
#include "../posix/children.h"
#include "../posix/shared_lock.h"
#include "marshal.h"
#include "thunks.h"

namespace truefork::napi {

namespace {

// Those that this package keeps, and the children of node:child_process on this thread: each is a live handle of the
// event loop.
posix::pid_list reserved_children(Napi::Env env) {
  posix::pid_list pids = children::kept();
  const auto note = [](uv_handle_t* handle, void* argument) {
    if (handle->type != UV_PROCESS || uv_is_active(handle) == 0) return;
    static_cast<posix::pid_list*>(argument)->push_back(uv_process_get_pid(reinterpret_cast<uv_process_t*>(handle)));
  };
  uv_walk(event_loop(env), note, &pids);
  return pids;
}

int64_t microseconds(const timeval& time) { return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; }

// The one child that a call which blocks waits for; 0 where it doesn't block, or waits for any of several.
pid_t only_child(pid_t pid, int options) {
  if ((options & WNOHANG) != 0) return 0;
  if (pid != -1) return pid > 0 ? pid : 0;
  const std::vector<pid_t> list = children::list();
  return list.size() == 1 ? list.front() : 0;
}

}  // namespace

// (pid, options) -> [pid, 0 or a negative error number; status; the 16 numbers of rusage,
// in process.resourceUsage()'s order]
Napi::Value wait4(const Napi::CallbackInfo& info) {
  const posix::waiting_for_child waiting(only_child(to_int(info[0]), to_int(info[1])));
  const auto [pid, status, usage] = posix::wait4(to_int(info[0]), to_int(info[1]), reserved_children(info.Env()));
  return to_array(info.Env(), {pid, status, microseconds(usage.ru_utime), microseconds(usage.ru_stime),
                               platform::max_rss_kilobytes(usage), usage.ru_ixrss, usage.ru_idrss, usage.ru_isrss,
                               usage.ru_minflt, usage.ru_majflt, usage.ru_nswap, usage.ru_inblock, usage.ru_oublock,
                               usage.ru_msgsnd, usage.ru_msgrcv, usage.ru_nsignals, usage.ru_nvcsw, usage.ru_nivcsw});
}

// (idtype, id, options) -> [0 or a negative error number, si_pid, si_uid, si_signo, si_status, si_code]
Napi::Value waitid(const Napi::CallbackInfo& info) {
  siginfo_t child{};
  const int idtype = to_int(info[0]);
  const bool is_of_pids = idtype == P_PID || idtype == P_ALL;
  const posix::waiting_for_child waiting(
      is_of_pids ? only_child(idtype == P_PID ? to_int(info[1]) : -1, to_int(info[2])) : 0);
  const int failure = posix::waitid(static_cast<idtype_t>(idtype), static_cast<id_t>(to_int(info[1])), child,
                                    to_int(info[2]), reserved_children(info.Env()));
  return to_array(info.Env(), {failure, child.si_pid, child.si_uid, child.si_signo, child.si_status, child.si_code});
}

// (pid)
Napi::Value keep_child(const Napi::CallbackInfo& info) {
  children::keep(to_int(info[0]));
  return info.Env().Undefined();
}

// (pid) -> [pid, 0 or a negative error number; status]
Napi::Value reap_kept(const Napi::CallbackInfo& info) {
  int status = 0;
  const pid_t pid = posix::reap_kept(to_int(info[0]), status);
  return to_array(info.Env(), {pid, status});
}

}  // namespace truefork::napi
