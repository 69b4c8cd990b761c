// The export table.
#include "fork/fork.h"
#include "fork/pool_barrier.h"
#include "napi/thunks.h"

namespace {

using truefork::napi::thunk;

struct entry {
  const char* name;
  thunk* function;
};

constexpr entry table[] = {
    {"fork", truefork::napi::fork},
    {"whyNotAllThreads", truefork::napi::why_not_all_threads},
    {"onEmptyLoop", truefork::napi::on_empty_loop},
    {"runOnly", truefork::napi::run_only},
    {"throwUncaught", truefork::napi::throw_uncaught},
    {"exitWith", truefork::napi::exit_with},
    {"hasStream", truefork::napi::has_stream},
    {"_exit", truefork::napi::_exit},
    {"threads", truefork::napi::threads},
    {"lockWaits", truefork::napi::lock_waits},
    {"unrebuiltDescriptors", truefork::napi::unrebuilt_descriptors},
    {"pendingWrites", truefork::napi::pending_writes},
    {"memoryLeftOut", truefork::napi::memory_left_out},
    {"hugePages", truefork::napi::huge_pages},
    {"exec", truefork::napi::exec},
    {"fexecve", truefork::napi::fexecve},
    {"posix_spawn", truefork::napi::posix_spawn},
    {"beginSpawn", truefork::napi::begin_spawn},
    {"abortSpawn", truefork::napi::abort_spawn},
    {"wait4", truefork::napi::wait4},
    {"waitid", truefork::napi::waitid},
    {"keepChild", truefork::napi::keep_child},
    {"reapKept", truefork::napi::reap_kept},
    {"onExits", truefork::napi::on_exits},
    {"watchExit", truefork::napi::watch_exit},
    {"unwatchExit", truefork::napi::unwatch_exit},
    {"WIFEXITED", truefork::napi::wifexited},
    {"WEXITSTATUS", truefork::napi::wexitstatus},
    {"WIFSIGNALED", truefork::napi::wifsignaled},
    {"WTERMSIG", truefork::napi::wtermsig},
    {"WCOREDUMP", truefork::napi::wcoredump},
    {"WIFSTOPPED", truefork::napi::wifstopped},
    {"WSTOPSIG", truefork::napi::wstopsig},
    {"WIFCONTINUED", truefork::napi::wifcontinued},
    {"getpid", truefork::napi::getpid},
    {"getppid", truefork::napi::getppid},
    {"gettid", truefork::napi::gettid},
    {"getpgid", truefork::napi::getpgid},
    {"setpgid", truefork::napi::setpgid},
    {"getpgrp", truefork::napi::getpgrp},
    {"setsid", truefork::napi::setsid},
    {"getsid", truefork::napi::getsid},
    {"tcgetpgrp", truefork::napi::tcgetpgrp},
    {"tcsetpgrp", truefork::napi::tcsetpgrp},
    {"kill", truefork::napi::kill},
    {"killpg", truefork::napi::killpg},
    {"sigprocmask", truefork::napi::sigprocmask},
    {"sigpending", truefork::napi::sigpending},
    {"getrlimit", truefork::napi::getrlimit},
    {"setrlimit", truefork::napi::setrlimit},
    {"prlimit", truefork::napi::prlimit},
    {"setPdeathsig", truefork::napi::set_pdeathsig},
    {"setChildSubreaper", truefork::napi::set_child_subreaper},
    {"endWith", truefork::napi::end_with},
    {"openpty", truefork::napi::openpty},
    {"enterPty", truefork::napi::enter_pty},
    {"tcgetwinsize", truefork::napi::tcgetwinsize},
    {"tcsetwinsize", truefork::napi::tcsetwinsize},
    {"pidfd_open", truefork::napi::pidfd_open},
    {"pidfd_send_signal", truefork::napi::pidfd_send_signal},
    {"pid_of_pidfd", truefork::napi::pid_of_pidfd},
    {"pidfd_has_ended", truefork::napi::pidfd_has_ended},
    {"pipe", truefork::napi::pipe},
    {"pipe2", truefork::napi::pipe2},
    {"dup", truefork::napi::dup},
    {"dup2", truefork::napi::dup2},
    {"dup3", truefork::napi::dup3},
    {"fcntl", truefork::napi::fcntl},
    {"closefrom", truefork::napi::closefrom},
    {"close_range", truefork::napi::close_range},
    {"umask", truefork::napi::umask},
    {"socketpair", truefork::napi::socketpair},
    {"sendDescriptors", truefork::napi::send_descriptors},
    {"receiveDescriptors", truefork::napi::receive_descriptors},
    {"messagePair", truefork::napi::message_pair},
    {"messageLimits", truefork::napi::message_limits},
    {"anonymousFile", truefork::napi::anonymous_file},
    {"onReady", truefork::napi::on_ready},
    {"watchReady", truefork::napi::watch_ready},
    {"referenceReady", truefork::napi::reference_ready},
    {"closeReady", truefork::napi::close_ready},
    {"pollReady", truefork::napi::poll_ready},
    {"beginLog", truefork::napi::begin_log},
    {"putMessage", truefork::napi::put_message},
    {"takeMessage", truefork::napi::take_message},
    {"finishMessage", truefork::napi::finish_message},
    {"countMessages", truefork::napi::count_messages},
    {"countUnfinished", truefork::napi::count_unfinished},
    {"descriptorTable", truefork::napi::descriptor_table},
    {"strerror", truefork::napi::strerror},
};

Napi::Object init(Napi::Env env, Napi::Object exports) {
  truefork::fork::prepare_at_load();
  truefork::fork::note_threads_at_load();
  for (const entry& row : table) exports.Set(row.name, Napi::Function::New(env, row.function, row.name));
  exports.Set("constants", truefork::napi::constants(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(truefork, init)
