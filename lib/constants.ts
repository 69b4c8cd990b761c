// This platform's values of the names in the man pages.
import { binding } from './binding'

type Everywhere =
  | 'P_WAIT'
  | 'P_NOWAIT'
  | 'NSIG'
  | 'WNOHANG'
  | 'WUNTRACED'
  | 'WCONTINUED'
  | 'WEXITED'
  | 'WSTOPPED'
  | 'WNOWAIT'
  | 'P_ALL'
  | 'P_PID'
  | 'P_PGID'
  | 'CLD_EXITED'
  | 'CLD_KILLED'
  | 'CLD_DUMPED'
  | 'CLD_TRAPPED'
  | 'CLD_STOPPED'
  | 'CLD_CONTINUED'
  | 'O_RDONLY'
  | 'O_WRONLY'
  | 'O_RDWR'
  | 'O_CREAT'
  | 'O_EXCL'
  | 'O_TRUNC'
  | 'O_APPEND'
  | 'O_NONBLOCK'
  | 'O_NOCTTY'
  | 'O_CLOEXEC'
  | 'O_DIRECTORY'
  | 'O_NOFOLLOW'
  | 'O_SYNC'
  | 'F_DUPFD'
  | 'F_DUPFD_CLOEXEC'
  | 'F_GETFD'
  | 'F_SETFD'
  | 'F_GETFL'
  | 'F_SETFL'
  | 'F_GETOWN'
  | 'F_SETOWN'
  | 'FD_CLOEXEC'
  | 'SCHED_OTHER'
  | 'SCHED_FIFO'
  | 'SCHED_RR'
  | 'RLIMIT_AS'
  | 'RLIMIT_CORE'
  | 'RLIMIT_CPU'
  | 'RLIMIT_DATA'
  | 'RLIMIT_FSIZE'
  | 'RLIMIT_MEMLOCK'
  | 'RLIMIT_NOFILE'
  | 'RLIMIT_NPROC'
  | 'RLIMIT_RSS'
  | 'RLIMIT_STACK'
  | 'SIG_BLOCK'
  | 'SIG_UNBLOCK'
  | 'SIG_SETMASK'

type LinuxOnly =
  | 'O_DIRECT'
  | 'O_PATH'
  | 'O_TMPFILE'
  | 'F_GETSIG'
  | 'F_SETSIG'
  | 'F_GETLEASE'
  | 'F_SETLEASE'
  | 'F_NOTIFY'
  | 'F_GETPIPE_SZ'
  | 'F_SETPIPE_SZ'
  | 'F_ADD_SEALS'
  | 'F_GET_SEALS'
  | 'SCHED_BATCH'
  | 'SCHED_IDLE'
  | 'RLIMIT_LOCKS'
  | 'RLIMIT_MSGQUEUE'
  | 'RLIMIT_NICE'
  | 'RLIMIT_RTPRIO'
  | 'RLIMIT_RTTIME'
  | 'RLIMIT_SIGPENDING'
  | 'P_PIDFD'
  | 'CLOSE_RANGE_UNSHARE'
  | 'CLOSE_RANGE_CLOEXEC'
  | 'PIDFD_NONBLOCK'

/**
 * Every constant by its man-page name. Those that only Linux has are undefined elsewhere.
 */
export const constants = Object.freeze(binding.constants) as Readonly<
  Record<Everywhere, number> & Partial<Record<LinuxOnly, number>>
>

export const {
  P_WAIT,
  P_NOWAIT,
  NSIG,
  WNOHANG,
  WUNTRACED,
  WCONTINUED,
  WEXITED,
  WSTOPPED,
  WNOWAIT,
  P_ALL,
  P_PID,
  P_PGID,
  CLD_EXITED,
  CLD_KILLED,
  CLD_DUMPED,
  CLD_TRAPPED,
  CLD_STOPPED,
  CLD_CONTINUED,
  O_RDONLY,
  O_WRONLY,
  O_RDWR,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_APPEND,
  O_NONBLOCK,
  O_NOCTTY,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_SYNC,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_SETFD,
  F_GETFL,
  F_SETFL,
  F_GETOWN,
  F_SETOWN,
  FD_CLOEXEC,
  SCHED_OTHER,
  SCHED_FIFO,
  SCHED_RR,
  RLIMIT_AS,
  RLIMIT_CORE,
  RLIMIT_CPU,
  RLIMIT_DATA,
  RLIMIT_FSIZE,
  RLIMIT_MEMLOCK,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RSS,
  RLIMIT_STACK,
  SIG_BLOCK,
  SIG_UNBLOCK,
  SIG_SETMASK,
  O_DIRECT,
  O_PATH,
  O_TMPFILE,
  F_GETSIG,
  F_SETSIG,
  F_GETLEASE,
  F_SETLEASE,
  F_NOTIFY,
  F_GETPIPE_SZ,
  F_SETPIPE_SZ,
  F_ADD_SEALS,
  F_GET_SEALS,
  SCHED_BATCH,
  SCHED_IDLE,
  RLIMIT_LOCKS,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_RTPRIO,
  RLIMIT_RTTIME,
  RLIMIT_SIGPENDING,
  P_PIDFD,
  CLOSE_RANGE_UNSHARE,
  CLOSE_RANGE_CLOEXEC,
  PIDFD_NONBLOCK,
} = constants
