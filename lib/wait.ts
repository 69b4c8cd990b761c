// wait(2), waitpid(2), wait3(2), wait4(2), waitid(2).
//
// A child of node:child_process is Node's to wait for: none of these ever takes one away. A wait for any child
// doesn't see them, and a wait for one of them by its pid fails with ECHILD.
import { binding } from './binding'
import { checked } from './errors'
import { toInt32 } from './validate'

/** A child that a wait call reported. */
export interface WaitResult {
  /** The child, or 0: WNOHANG was given and no child has anything to report yet. */
  pid: number
  /** The raw status, for the W* functions and describeStatus. */
  status: number
}

/** What a child used, in process.resourceUsage()'s names and units: microseconds, kilobytes, counts. */
export type ResourceUsage = NodeJS.ResourceUsage

export interface WaitUsage extends WaitResult {
  /** What the child and the descendants that it waited for used; all zero while `pid` is 0. */
  rusage: ResourceUsage
}

/** siginfo_t of a child's change of state. */
export interface SignalInfo {
  pid: number
  /** The child's real user; -1 of a process that is no child. */
  uid: number
  /** Always SIGCHLD. */
  signo: number
  /** The exit code (all of CLD_EXITED's 8 bits), or a signal's number, as `code` says. */
  status: number
  /** One of CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_STOPPED, CLD_TRAPPED, CLD_CONTINUED; 0 of one that is no child. */
  code: number
}

/**
 * Waits until a child ends, and reaps it. Blocks this thread, its event loop included; a signal's handler in
 * JavaScript runs only afterwards.
 *
 * @returns the child and its status
 * @throws PosixError ECHILD: no child, but perhaps Node's own
 * On Linux the children are those that the calling thread made, as with __WNOTHREAD; elsewhere those that this
 * package made. Source: wait(2), POSIX.
 */
export function wait(): WaitResult {
  return waitFor(-1, 0, 'wait')
}

/**
 * Waits for a child to change its state.
 *
 * @param pid > 0: that child, whichever thread made it; -1: any child of {@link wait}'s; 0: any of this process
 *   group; < -1: any of the group -pid (int32)
 * @param options WNOHANG, WUNTRACED, WCONTINUED, or'ed together; default 0: wait for its end
 * @returns the child and its status; `pid` 0 with WNOHANG and nothing to report
 * @throws PosixError ECHILD: no such child, or it is node:child_process'; EINVAL: unknown options
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE if an argument is no int32
 * Source: waitpid(2), POSIX.
 */
export function waitpid(pid: number, options = 0): WaitResult {
  return waitFor(pid, options, 'waitpid')
}

/**
 * {@link wait} with options, and with what the child used.
 *
 * @param options WNOHANG, WUNTRACED, WCONTINUED, or'ed together; default 0
 * @returns the child, its status and its resource usage
 * @throws as {@link waitpid} with pid -1. Source: wait3(2).
 */
export function wait3(options = 0): WaitUsage {
  return waitWithUsage(-1, options, 'wait3')
}

/**
 * {@link waitpid}, with what the child used.
 *
 * @param pid as waitpid's
 * @param options as waitpid's
 * @returns the child, its status and its resource usage
 * @throws as {@link waitpid}; ESRCH for the pid -2147483648. Source: wait4(2).
 */
export function wait4(pid: number, options = 0): WaitUsage {
  return waitWithUsage(pid, options, 'wait4')
}

/**
 * Waits for a child to change its state, and may leave it waitable.
 *
 * @param idtype P_PID, P_PGID, P_ALL or, on Linux, P_PIDFD
 * @param id a pid, a process group (0: this one's, Linux 5.4), anything, or a pidfd
 * @param options WEXITED, WSTOPPED, WCONTINUED: at least one; WNOHANG, WNOWAIT
 * @returns what happened; null with WNOHANG and nothing to report
 * @throws PosixError ECHILD: no such child, or it is node:child_process'; EINVAL: bad idtype or options;
 *   EBADF: no pidfd; EAGAIN: a pidfd with PIDFD_NONBLOCK whose process runs
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE if an argument is no int32
 * Source: waitid(2), POSIX.
 */
export function waitid(idtype: number, id: number, options: number): SignalInfo | null {
  const [failure, pid, uid, signo, status, code] = binding.waitid(
    toInt32(idtype, 'idtype'),
    toInt32(id, 'id'),
    toInt32(options, 'options'),
  )
  checked(failure, 'waitid')
  return pid === 0 ? null : { pid, uid, signo, status, code }
}

function waitFor(pid: number, options: number, syscall: string): WaitResult {
  const [outcome, status] = binding.wait4(toInt32(pid, 'pid'), toInt32(options, 'options'))
  return { pid: checked(outcome, syscall), status }
}

const usageNames = [
  'userCPUTime',
  'systemCPUTime',
  'maxRSS',
  'sharedMemorySize',
  'unsharedDataSize',
  'unsharedStackSize',
  'minorPageFault',
  'majorPageFault',
  'swappedOut',
  'fsRead',
  'fsWrite',
  'ipcSent',
  'ipcReceived',
  'signalsCount',
  'voluntaryContextSwitches',
  'involuntaryContextSwitches',
] as const satisfies readonly (keyof ResourceUsage)[]

function waitWithUsage(pid: number, options: number, syscall: string): WaitUsage {
  const [outcome, status, ...usage] = binding.wait4(toInt32(pid, 'pid'), toInt32(options, 'options'))
  const rusage = Object.fromEntries(usageNames.map((name, index) => [name, usage[index]])) as unknown as ResourceUsage
  return { pid: checked(outcome, syscall), status, rusage }
}
