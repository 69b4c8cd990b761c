// truefork: the real fork(), exec, posix_spawn and wait calls of Linux and macOS.
export { type AtForkHooks, registerAtFork } from './at-fork'
export { compareFdTables, type FdChange, type FdTableDifference } from './compare-fd-tables'
export * from './constants'
export * from './descriptors'
export { ForkHazardError, PosixError } from './errors'
export { execl, execle, execlp, execlpe, execv, execve, execvp, execvpe, fexecve } from './exec'
export { type FdInfo, type FdKind, fdTable, type SocketInfo } from './fd-table'
export { _exit, type ForkOptions, fork, forkHazards } from './fork'
export * from './ids'
export * from './limits'
export * from './pidfd'
export { prctl } from './prctl'
export * from './pty'
export {
  type Diagnosis,
  diagnose,
  type ForkEvidence,
  type LockKind,
  type LockOwner,
  type LockWait,
  type SystemCall,
  type ThreadDiagnosis,
} from './safety/diagnose'
export type { Hazard, HazardId, HazardReport, ThreadInfo } from './safety/hazards'
export { type Mutex, type MutexHolder, registerMutex } from './safety/locks'
export * from './signals'
export { type ReceivedFds, recvFds, type SocketPair, sendFds, socketpair } from './sockets'
export * from './spawn'
export {
  describeStatus,
  type StatusDescription,
  WCOREDUMP,
  WEXITSTATUS,
  WIFCONTINUED,
  WIFEXITED,
  WIFSIGNALED,
  WIFSTOPPED,
  WSTOPSIG,
  WTERMSIG,
  waitstatusToExitcode,
} from './status'
export { umask } from './umask'
export type { Bytes, Env, Signal } from './validate'
export * from './wait'
