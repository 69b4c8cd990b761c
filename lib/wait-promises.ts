// waitpid(2), wait4(2), waitid(2) as promises: each is the call with WNOHANG, made again when there is something to see.
import { constants } from 'node:os'
import { type Abortable, throwIfAborted, toAbortSignal } from './abort'
import { binding } from './binding'
import { P_PID, P_PIDFD, WCONTINUED, WEXITED, WNOHANG, WSTOPPED, WUNTRACED } from './constants'
import { checked, PosixError } from './errors'
import { found, type Wait } from './exit-watch'
import { toInt32 } from './validate'
import type { SignalInfo, WaitResult, WaitUsage } from './wait'
import * as calls from './wait'

/**
 * Waits for a child to change its state, while the event loop goes on. A pending wait keeps the process alive.
 *
 * @param pid > 0: that child, whichever thread made it; -1, 0, < -1: any child, as the waitpid that blocks has it
 * @param options WNOHANG, WUNTRACED, WCONTINUED, or'ed together; default 0: wait for its end
 * @param control `signal` gives the wait up, and reaps nothing: the child can be waited for again
 * @returns the child and its status; `pid` 0 with WNOHANG and nothing to report
 * @throws as a rejection: PosixError ECHILD: no such child, or it is node:child_process', or another wait has reaped
 *   it, or this is the child of a fork; EINVAL: unknown options; AbortError (ABORT_ERR)
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE as a rejection, before anything happens
 * Hazard: no descriptor tells of a stop, or of any child of several. For these the kernel is asked every 1 to 16
 * milliseconds, so that a stop which ends within that time may go unseen. Source: waitpid(2), POSIX; pidfd_open(2).
 */
export async function waitpid(pid: number, options = 0, control?: Abortable): Promise<WaitResult> {
  return waitFor(calls.waitpid, pid, options, control)
}

/**
 * {@link waitpid}, with what the child used.
 *
 * @param pid as waitpid's
 * @param options as waitpid's
 * @param control as waitpid's
 * @returns the child, its status and its resource usage
 * @throws as waitpid; ESRCH for the pid -2147483648. Source: wait4(2).
 */
export async function wait4(pid: number, options = 0, control?: Abortable): Promise<WaitUsage> {
  return waitFor(calls.wait4, pid, options, control)
}

/**
 * Waits for a child to change its state, and may leave it waitable, while the event loop goes on.
 *
 * @param idtype P_PID, P_PGID, P_ALL or, on Linux, P_PIDFD
 * @param id a pid, a process group, anything, or a pidfd, which may be closed meanwhile
 * @param options WEXITED, WSTOPPED, WCONTINUED: at least one; WNOHANG, WNOWAIT
 * @param control as {@link waitpid}'s
 * @returns what happened; null with WNOHANG and nothing to report. A pidfd may be of a process that is no child, with
 *   WEXITED: it resolves once that has ended, but how is told to its parent alone: `code` and `status` are 0, `uid` -1
 * @throws as waitpid, and ECHILD too for a pidfd of this process, or of one that was no child and is gone; EBADF: no
 *   pidfd. One with PIDFD_NONBLOCK is waited for as any other. Source: waitid(2), POSIX; pidfd_open(2).
 */
export async function waitid(
  idtype: number,
  id: number,
  options: number,
  control?: Abortable,
): Promise<SignalInfo | null> {
  const signal = toAbortSignal(control, 'control')
  toInt32(options, 'options')
  throwIfAborted(signal)
  if (options & WNOHANG) return calls.waitid(idtype, id, options)
  const isPidfd = idtype === P_PIDFD
  // Without an end to watch for there is no duplicate of a pidfd.
  const look = (pidfd: number) => calls.waitid(idtype, pidfd < 0 ? id : pidfd, options | WNOHANG) ?? undefined
  const wait: Wait<SignalInfo> = {
    look: isPidfd ? lookByPidfd(look, options) : () => look(-1),
    process: options & WEXITED && (isPidfd || idtype === P_PID) ? { isPidfd, id } : undefined,
    hasMore: (options & (WSTOPPED | WCONTINUED)) !== 0,
  }
  return found(wait, signal)
}

/** As `look` has it for a child; for another process, whether it has ended. Which it is the first look tells. */
function lookByPidfd(look: Wait<SignalInfo>['look'], options: number): Wait<SignalInfo>['look'] {
  let isChild: boolean | undefined
  let pid = 0
  return (pidfd) => {
    if (isChild !== false) {
      try {
        const info = look(pidfd)
        isChild = true
        return info
      } catch (error) {
        const isNoChild = error instanceof PosixError && error.code === 'ECHILD'
        if (isChild || !isNoChild || !(options & WEXITED)) throw error
        pid = binding.pid_of_pidfd(pidfd)
        if (pid <= 0 || pid === process.pid) throw error
        isChild = false
      }
    }
    const hasEnded = checked(binding.pidfd_has_ended(pidfd), 'waitid') === 1
    return hasEnded ? { pid, uid: -1, signo: constants.signals.SIGCHLD, status: 0, code: 0 } : undefined
  }
}

function waitFor<Result extends WaitResult>(
  call: (pid: number, options: number) => Result,
  pid: number,
  options: number,
  control: unknown,
): Promise<Result> | Result {
  const signal = toAbortSignal(control, 'control')
  toInt32(pid, 'pid')
  toInt32(options, 'options')
  throwIfAborted(signal)
  if (options & WNOHANG) return call(pid, options)
  const wait: Wait<Result> = {
    look() {
      const result = call(pid, options | WNOHANG)
      return result.pid === 0 ? undefined : result
    },
    process: pid > 0 ? { isPidfd: false, id: pid } : undefined,
    hasMore: (options & (WUNTRACED | WCONTINUED)) !== 0,
  }
  return found(wait, signal)
}
