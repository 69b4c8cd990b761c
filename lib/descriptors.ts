// pipe(2), dup(2), fcntl(2), close_range(2). None sets FD_CLOEXEC unless told so.
import { binding } from './binding'
import { checked } from './errors'
import { toInt32 } from './validate'

/** The ends of a pipe. */
export type Pipe = [readEnd: number, writeEnd: number]

/**
 * Makes a pipe that a child inherits, through fork as through exec.
 *
 * @returns the descriptors of its two ends
 * @throws PosixError EMFILE, ENFILE: no descriptor free. Source: pipe(2), POSIX.
 */
export function pipe(): Pipe {
  const [failure, readEnd, writeEnd] = binding.pipe()
  checked(failure, 'pipe')
  return [readEnd, writeEnd]
}

/**
 * {@link pipe} with flags.
 *
 * @param flags O_CLOEXEC, O_NONBLOCK, O_DIRECT, or'ed together
 * @returns the descriptors of its two ends
 * @throws PosixError EINVAL: unknown flags; EMFILE, ENFILE; ENOSYS on macOS. Source: pipe2(2), Linux.
 */
export function pipe2(flags: number): Pipe {
  const [failure, readEnd, writeEnd] = binding.pipe2(toInt32(flags, 'flags'))
  checked(failure, 'pipe2')
  return [readEnd, writeEnd]
}

/**
 * Makes the lowest free number another name of an open file.
 *
 * @param fd an open descriptor (int32)
 * @returns the new descriptor, without FD_CLOEXEC
 * @throws PosixError EBADF, EMFILE. Source: dup(2), POSIX.
 */
export function dup(fd: number): number {
  return checked(binding.dup(toInt32(fd, 'fd')), 'dup')
}

/**
 * Makes `newFd` another name of an open file; what it named before is closed.
 *
 * @param fd an open descriptor (int32)
 * @param newFd the number to have it under (int32)
 * @returns `newFd`, without FD_CLOEXEC unless it equals `fd`
 * @throws PosixError EBADF. Hazard: descriptors that Node uses for itself are closed without its knowledge.
 * Source: dup2(2), POSIX.
 */
export function dup2(fd: number, newFd: number): number {
  return checked(binding.dup2(toInt32(fd, 'fd'), toInt32(newFd, 'newFd')), 'dup2')
}

/**
 * {@link dup2} with flags.
 *
 * @param fd an open descriptor (int32)
 * @param newFd the number to have it under, not `fd` (int32)
 * @param flags 0 or O_CLOEXEC
 * @returns `newFd`
 * @throws PosixError EBADF; EINVAL: unknown flags, or the numbers are equal; ENOSYS on macOS. Source: dup3(2), Linux.
 */
export function dup3(fd: number, newFd: number, flags: number): number {
  return checked(binding.dup3(toInt32(fd, 'fd'), toInt32(newFd, 'newFd'), toInt32(flags, 'flags')), 'dup3')
}

/**
 * Asks about a descriptor, or changes it.
 *
 * @param fd a descriptor (int32)
 * @param cmd F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GETOWN, ...: a command that takes
 *   an int or nothing
 * @param arg the int (default 0)
 * @returns what the command answers: flags, a descriptor, a size, or 0
 * @throws PosixError EBADF; EINVAL: unknown command, or one that takes a pointer, such as F_SETLK; EMFILE
 * Source: fcntl(2), POSIX.
 */
export function fcntl(fd: number, cmd: number, arg = 0): number {
  return checked(binding.fcntl(toInt32(fd, 'fd'), toInt32(cmd, 'cmd'), toInt32(arg, 'arg')), 'fcntl')
}

/**
 * Closes every descriptor from `fd` on, for a child that then calls an exec function or `_exit`. What Node's threads wait
 * by (epoll, eventfd, io_uring; kqueue on macOS) stays until an exec closes it: without it libuv ends the process by
 * abort(3) at any moment. {@link close_range} spares nothing.
 *
 * @param fd the lowest descriptor to close (int32)
 * @throws PosixError EBADF: `fd` is negative; ENOENT: no /proc; ENFILE. Nothing has been closed then.
 * Hazard: Node doesn't learn that its sockets and its pipes for signals are closed, and back in the event loop libuv calls
 * abort(3) once it needs one. A process that lives on closes them by their own `close`. Source: closefrom(3), BSD and glibc 2.34.
 */
export function closefrom(fd: number): void {
  checked(binding.closefrom(toInt32(fd, 'fd')), 'closefrom')
}

/**
 * Closes a range of descriptors, or sets FD_CLOEXEC on them. Numbers in it that aren't open are passed over.
 *
 * @param first the lowest (int32)
 * @param last the highest (int32). The kernel takes it for unsigned: -1, which is ~0, is the highest there can be.
 * @param flags CLOSE_RANGE_CLOEXEC: closes at an exec, and nothing now (Linux 5.11); CLOSE_RANGE_UNSHARE: closes them
 *   for the calling thread alone, which has a table of its own from then on; default 0
 * @throws PosixError EINVAL: `first` is higher than `last`, unknown flags; ENOSYS on macOS and before Linux 5.9
 * Hazard: from 3 on there is what Node's event loops wait by. Without it libuv ends the process by abort(3) as soon as any
 * thread needs it; CLOSE_RANGE_CLOEXEC does no such harm. After CLOSE_RANGE_UNSHARE libuv's threads go on with the old table: asynchronous file
 * operations on descriptors opened since fail or reach another file. Source: close_range(2), Linux.
 */
export function close_range(first: number, last: number, flags = 0): void {
  const range = [toInt32(first, 'first'), toInt32(last, 'last')] as const
  checked(binding.close_range(...range, toInt32(flags, 'flags')), 'close_range')
}
