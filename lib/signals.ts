// kill(2), killpg(3).
import { binding } from './binding'
import { checked } from './errors'
import { type Signal, toInt32, toSignal } from './validate'

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
