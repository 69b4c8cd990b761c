// What JavaScript can call: one short function for each entry of the export table. lib/ has checked the
// arguments, and lib/errors.ts throws what comes back as a negative error number.
#ifndef TRUEFORK_NAPI_THUNKS_H_
#define TRUEFORK_NAPI_THUNKS_H_

#include "api.h"

namespace truefork::napi {

using thunk = Napi::Value(const Napi::CallbackInfo&);

// fork.cc
thunk fork, why_not_all_threads, on_empty_loop, _exit;
// hazards.cc
thunk threads, lock_waits, unrebuilt_descriptors, pending_writes, memory_left_out, huge_pages;
// exec.cc, spawn.cc, spawn_task.cc, wait.cc, exit_watch.cc
thunk exec, fexecve, posix_spawn, begin_spawn, abort_spawn, wait4, waitid, on_exits, watch_exit, unwatch_exit;
thunk keep_child, reap_kept;
// run_only.cc
thunk run_only, know_message_ports, throw_uncaught, exit_with, has_stream;
// status.cc
thunk wifexited, wexitstatus, wifsignaled, wtermsig, wcoredump, wifstopped, wstopsig, wifcontinued;
// ids.cc, signals.cc
thunk getpid, getppid, gettid, kill, killpg;
thunk getpgid, setpgid, getpgrp, setsid, getsid, tcgetpgrp, tcsetpgrp, sigprocmask, sigpending;
// limits.cc, prctl.cc, pty.cc
thunk getrlimit, setrlimit, prlimit, set_pdeathsig, set_child_subreaper, end_with;
thunk openpty, enter_pty, tcgetwinsize, tcsetwinsize;
// pidfd.cc
thunk pidfd_open, pidfd_send_signal, pid_of_pidfd, pidfd_has_ended;
// descriptors.cc
thunk pipe, pipe2, share_pipe, dup, dup2, dup3, fcntl, closefrom, close_range, umask;
// sockets.cc, descriptor_table.cc
thunk socketpair, send_descriptors, receive_descriptors, descriptor_table;
thunk message_pair, message_limits, anonymous_file;
// readiness.cc, message_log.cc
thunk on_ready, watch_ready, reference_ready, close_ready, poll_ready;
thunk begin_log, put_message, take_message, finish_message, count_messages, count_unfinished;
// shared_memory.cc, shared_lock.cc, shared_waits.cc, word_watch.cc
thunk share_memory, shared_buffer, tell_block, attach_block, kind_of_block, wait_for_word;
thunk make_lock, take_lock, release_lock, release_lock_wholly, restore_depth, pass_lock_on, tell_lock, would_hang;
thunk make_semaphore, take_semaphore, release_semaphore, semaphore_value, pass_semaphore_on;
thunk make_condition, begin_wait, look_at_wait, end_wait, notify, make_event, set_event, event_word, look_at_event;
thunk make_barrier, arrive, look_at_barrier, leave_barrier, open_barrier, break_barrier, tell_barrier;
thunk on_words, watch_word, unwatch_word;
// diagnosis.cc
thunk fork_record_of, diagnosis_facts, probes;
// errors.cc
thunk strerror;

// constants.cc
Napi::Object constants(Napi::Env env);

}  // namespace truefork::napi

#endif  // TRUEFORK_NAPI_THUNKS_H_
