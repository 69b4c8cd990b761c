// getpid(2), getppid(2), gettid(2); process groups and sessions: setpgid(2), setsid(2), tcsetpgrp(3).
import { binding } from './binding'
import { checked } from './errors'
import { toInt32 } from './validate'

/** This process's id, from the kernel: process.pid is a property that was read once. Source: getpid(2). */
export function getpid(): number {
  return binding.getpid()
}

/** The parent's id; another process's once the parent has ended. Source: getppid(2). */
export function getppid(): number {
  return binding.getppid()
}

/**
 * The calling thread's id: on Linux the kernel's tid, equal to the pid in the main thread; on macOS
 * pthread_threadid_np's. Source: gettid(2).
 */
export function gettid(): number {
  return binding.gettid()
}

/**
 * Tells a process's group.
 *
 * @param pid a process; 0: this one (int32)
 * @returns the group's id
 * @throws PosixError ESRCH: no such process. Source: getpgid(2), POSIX.
 */
export function getpgid(pid: number): number {
  return checked(binding.getpgid(toInt32(pid, 'pid')), 'getpgid')
}

/**
 * Moves this process, or a child that hasn't called exec yet, into a process group of the same session. A shell calls
 * it in parent and child, as either may come first.
 *
 * @param pid a process; 0: this one (int32)
 * @param pgid the group; 0: a new one of the process's own id (int32)
 * @throws PosixError ESRCH: neither this process nor its child; EACCES: a child that has called exec; EPERM: a session's
 *   leader, another session, no such group; EINVAL: a negative group. Source: setpgid(2), POSIX.
 */
export function setpgid(pid: number, pgid: number): void {
  checked(binding.setpgid(toInt32(pid, 'pid'), toInt32(pgid, 'pgid')), 'setpgid')
}

/** This process's group. Source: getpgrp(2), POSIX. */
export function getpgrp(): number {
  return binding.getpgrp()
}

/**
 * Makes this process the leader of a new session, with a new process group and no controlling terminal.
 *
 * @returns the session's id, which is the pid
 * @throws PosixError EPERM: it leads a process group already; fork, and call it in the child. Source: setsid(2), POSIX.
 */
export function setsid(): number {
  return checked(binding.setsid(), 'setsid')
}

/**
 * Tells a process's session.
 *
 * @param pid a process; 0: this one (int32)
 * @returns the session's id
 * @throws PosixError ESRCH: no such process. Source: getsid(2), POSIX.
 */
export function getsid(pid: number): number {
  return checked(binding.getsid(toInt32(pid, 'pid')), 'getsid')
}

/**
 * Tells the group in the foreground of a terminal: the one that may read, and that Ctrl-C reaches.
 *
 * @param fd this session's terminal, or the master of a pseudo-terminal (int32)
 * @returns the group's id; one that no process has, if there is none
 * @throws PosixError ENOTTY: no terminal, or not this session's; EBADF. Source: tcgetpgrp(3), POSIX.
 */
export function tcgetpgrp(fd: number): number {
  return checked(binding.tcgetpgrp(toInt32(fd, 'fd')), 'tcgetpgrp')
}

/**
 * Brings a process group to the foreground of a terminal. Unlike the C function it does so from the background, too,
 * and no SIGTTOU stops this process: the signal is blocked for the moment, as every shell does it.
 *
 * @param fd this session's terminal (int32)
 * @param pgid a group of this session (int32)
 * @throws PosixError ENOTTY: no terminal, or not this session's; EPERM: no such group in this session; EINVAL: a
 *   negative group; EBADF. Source: tcsetpgrp(3), POSIX.
 */
export function tcsetpgrp(fd: number, pgid: number): void {
  checked(binding.tcsetpgrp(toInt32(fd, 'fd'), toInt32(pgid, 'pgid')), 'tcsetpgrp')
}
