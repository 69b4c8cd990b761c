// kill(2), killpg(3), sigprocmask(2), sigpending(2).
import { binding } from './binding'
import { checked } from './errors'
import { signalName } from './status'
import { type Signal, toInt32, toSignal, toSignals } from './validate'

/**
 * Sends a signal, or with 0 asks only whether it could be sent.
 *
 * @param pid > 0: that process; 0: this process group; -1: every process that may be signalled; < -1: the group
 *   -pid (int32)
 * @param signal a name or a number
 * @throws PosixError ESRCH: no such process; EPERM: not allowed; EINVAL: no such signal
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE: no int32, no known name
 * Source: kill(2), POSIX.
 */
export function kill(pid: number, signal: Signal): void {
  checked(binding.kill(toInt32(pid, 'pid'), toSignal(signal, 'signal')), 'kill')
}

/**
 * Sends a signal to a process group.
 *
 * @param pgid the group, 0: this process's (int32)
 * @param signal a name or a number; 0 only asks
 * @throws as {@link kill}; EINVAL also for a negative group. Source: killpg(3), POSIX.
 */
export function killpg(pgid: number, signal: Signal): void {
  checked(binding.killpg(toInt32(pgid, 'pgid'), toSignal(signal, 'signal')), 'killpg')
}

/**
 * Blocks signals, or unblocks them: a blocked one waits (see {@link sigpending}) until it is unblocked. SIGKILL, SIGSTOP
 * and the C library's own signals can't be blocked and are passed over.
 *
 * @param how SIG_BLOCK: these as well; SIG_UNBLOCK: these no longer; SIG_SETMASK: these and no others
 * @param signals names or numbers
 * @returns the signals that were blocked before, for SIG_SETMASK to put them back
 * @throws PosixError EINVAL: unknown `how`; ETIMEDOUT, EMFILE: the other threads can't be made
 *   to block them, and nothing is changed
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE: not iterable, no signal
 *
 * The mask is the calling thread's; programs that it execs or spawns, and children that it forks, begin with it. What
 * the main thread blocks is blocked in all other threads, too, where fork can keep them; elsewhere a signal for the
 * process as a whole is still delivered, to another thread. Signals that tell of a fault, and SIGPROF, stay as they are
 * there. Source: sigprocmask(2), POSIX.
 */
export function sigprocmask(how: number, signals: Iterable<Signal>): Signal[] {
  const [failure, ...previous] = binding.sigprocmask(toInt32(how, 'how'), toSignals(signals, 'signals'))
  checked(failure, 'sigprocmask')
  return previous.map(signalName)
}

/**
 * Tells which blocked signals have arrived and wait: those for the calling thread and those for the process.
 *
 * @returns names, or numbers where there is no name. Source: sigpending(2), POSIX.
 */
export function sigpending(): Signal[] {
  const [failure, ...pending] = binding.sigpending()
  checked(failure, 'sigpending')
  return pending.map(signalName)
}
