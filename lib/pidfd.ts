// pidfd_open(2), pidfd_send_signal(2): a process by a descriptor, which never comes to mean another one.
import { binding } from './binding'
import { checked } from './errors'
import { type Signal, toInt32, toSignal } from './validate'

/**
 * Opens a descriptor that stands for a process. It is readable once the process has ended.
 *
 * @param pid the process: any that there is (int32)
 * @param flags 0 or PIDFD_NONBLOCK (Linux 5.10): waitid of a process that runs is EAGAIN; default 0
 * @returns the descriptor, with FD_CLOEXEC; to be closed by its owner
 * @throws PosixError ESRCH: no such process; EINVAL: unknown flags, or a pid that isn't positive; EMFILE; ENOSYS on
 *   macOS and before Linux 5.3. Source: pidfd_open(2), Linux.
 */
export function pidfd_open(pid: number, flags = 0): number {
  return checked(binding.pidfd_open(toInt32(pid, 'pid'), toInt32(flags, 'flags')), 'pidfd_open')
}

/**
 * Sends a signal to the process that a pidfd stands for, and never to a later one with its pid.
 *
 * @param pidfd a descriptor of pidfd_open's (int32)
 * @param signal a name or a number; 0 only asks
 * @throws PosixError ESRCH: the process has been reaped; EBADF: no pidfd; EPERM: not allowed; EINVAL: no such signal;
 *   ENOSYS on macOS and before Linux 5.1. Source: pidfd_send_signal(2), Linux.
 */
export function pidfd_send_signal(pidfd: number, signal: Signal): void {
  checked(binding.pidfd_send_signal(toInt32(pidfd, 'pidfd'), toSignal(signal, 'signal')), 'pidfd_send_signal')
}
