// truefork: the real fork(), exec, posix_spawn and wait calls of Linux and macOS.
export * from './constants'
export * from './descriptors'
export { ForkHazardError, PosixError } from './errors'
export { execl, execle, execlp, execlpe, execv, execve, execvp, execvpe, fexecve } from './exec'
export { _exit, type ForkOptions, fork, forkHazards } from './fork'
export * from './ids'
export type { Hazard, HazardId, HazardReport, ThreadInfo } from './safety/hazards'
export * from './signals'
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
export type { Bytes, Env, Signal } from './validate'
export * from './wait'
