// What a wait status says: the macros of wait(2), and what one would make of them.
import { constants as osConstants } from 'node:os'
import { binding } from './binding'
import { invalidArgValue } from './errors'
import { toInt32 } from './validate'

/** A wait status in words. A signal without a name, as a real-time signal, is its number. */
export type StatusDescription =
  | { kind: 'exited'; code: number }
  | { kind: 'signaled'; signal: NodeJS.Signals | number; core: boolean }
  | { kind: 'stopped'; signal: NodeJS.Signals | number }
  | { kind: 'continued' }

const toStatus = (status: number): number => toInt32(status, 'status')

/** True if the child ended by exit(3), _exit(2) or by returning from main. Source: wait(2). */
export const WIFEXITED = (status: number): boolean => binding.WIFEXITED(toStatus(status))

/** The low 8 bits of what the child gave to exit; means something only after WIFEXITED. Source: wait(2). */
export const WEXITSTATUS = (status: number): number => binding.WEXITSTATUS(toStatus(status))

/** True if a signal ended the child. Source: wait(2). */
export const WIFSIGNALED = (status: number): boolean => binding.WIFSIGNALED(toStatus(status))

/** The number of the signal that ended the child; means something only after WIFSIGNALED. Source: wait(2). */
export const WTERMSIG = (status: number): number => binding.WTERMSIG(toStatus(status))

/** True if the child left a core dump; means something only after WIFSIGNALED. Source: wait(2). */
export const WCOREDUMP = (status: number): boolean => binding.WCOREDUMP(toStatus(status))

/** True if the child is stopped: only with WUNTRACED, or under ptrace(2). Source: wait(2). */
export const WIFSTOPPED = (status: number): boolean => binding.WIFSTOPPED(toStatus(status))

/** The number of the signal that stopped the child; means something only after WIFSTOPPED. Source: wait(2). */
export const WSTOPSIG = (status: number): number => binding.WSTOPSIG(toStatus(status))

/** True if the child goes on after SIGCONT: only with WCONTINUED. Source: wait(2). */
export const WIFCONTINUED = (status: number): boolean => binding.WIFCONTINUED(toStatus(status))

/**
 * Tells a wait status in words.
 *
 * @param status a raw status, as the wait calls return it (int32)
 * @returns how the child ended, stopped or went on, with the signal's name
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE if `status` is no int32; ERR_INVALID_ARG_VALUE if it is no
 *   wait status
 */
export function describeStatus(status: number): StatusDescription {
  if (WIFEXITED(status)) return { kind: 'exited', code: WEXITSTATUS(status) }
  if (WIFSIGNALED(status)) {
    return { kind: 'signaled', signal: signalName(WTERMSIG(status)), core: WCOREDUMP(status) }
  }
  // Before "stopped": macOS tells a continued child by a stopped one's bits and SIGCONT.
  if (WIFCONTINUED(status)) return { kind: 'continued' }
  if (WIFSTOPPED(status)) return { kind: 'stopped', signal: signalName(WSTOPSIG(status)) }
  throw invalidArgValue('status', status, 'must be a wait status')
}

/**
 * An exit code as a shell or Python would have it.
 *
 * @param status a raw status of a child that ended (int32)
 * @returns the exit code, or minus the number of the signal that ended it
 * @throws ERR_INVALID_ARG_VALUE for a child that is stopped or continued, and what {@link describeStatus} throws
 * Source: Python's os.waitstatus_to_exitcode.
 */
export function waitstatusToExitcode(status: number): number {
  if (WIFEXITED(status)) return WEXITSTATUS(status)
  if (WIFSIGNALED(status)) return -WTERMSIG(status)
  throw invalidArgValue('status', status, 'must be that of a child that has ended')
}

// The first name of a number counts: SIGABRT, not SIGIOT.
const signalNames = new Map(
  (Object.entries(osConstants.signals) as [NodeJS.Signals, number][]).reverse().map(([name, number]) => [number, name]),
)

/** A signal's name, or its number where there is no name. */
export function signalName(signal: number): NodeJS.Signals | number {
  return signalNames.get(signal) ?? signal
}
