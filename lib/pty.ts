// Pseudo-terminals: openpty(3), forkpty(3), and tcgetwinsize(3) of POSIX.1-2024.
import { closeSync } from 'node:fs'
import { binding } from './binding'
import { checked, invalidArgType, outOfRange } from './errors'
import { type ForkOptions, fork } from './fork'
import { toInt32, toOptions } from './validate'

/** A terminal's size in characters. */
export interface WindowSize {
  rows: number
  columns: number
}

export interface OpenptyOptions {
  /** Default: 0, not known. Each from 0 to 65535. */
  rows?: number | undefined
  columns?: number | undefined
}

export type ForkptyOptions = OpenptyOptions & ForkOptions

export interface Pty {
  /** The side of the terminal emulator. */
  master: number
  /** The side of the programs: a terminal. */
  slave: number
  /** The slave's path. */
  name: string
}

/**
 * Makes a pseudo-terminal. Both descriptors are FD_CLOEXEC: a child gets the slave by a file action.
 *
 * @param options its size
 * @throws PosixError ENOSPC, EMFILE, ENFILE, ...: `syscall` names the step. Source: openpty(3), BSD.
 */
export function openpty(options?: OpenptyOptions): Pty {
  const size = toSize(toOptions(options, 'options'))
  const [failure, master, slave, name, step] = binding.openpty(size?.rows, size?.columns)
  checked(failure, step ?? 'openpty')
  return { master, slave, name }
}

/**
 * Forks a child on a new pseudo-terminal: it leads a session of its own, whose controlling terminal, and descriptors
 * 0-2, are the slave.
 *
 * @param options the terminal's size, and fork's own options
 * @returns in the parent the child's pid and the master (FD_CLOEXEC), to be closed; in the child pid 0 and fd -1
 * @throws as {@link openpty} and {@link fork}; no descriptor is left then. Source: forkpty(3), BSD.
 *
 * What the parent already made of process.stdin, stdout and stderr goes on in the child on the new terminal, but stays
 * of the kind that it was: `isTTY` says what the parent's was. What is used there for the first time is a terminal.
 */
export function forkpty(options?: ForkptyOptions): { pid: number; fd: number } {
  const { rows, columns, ...forkOptions } = toOptions(options, 'options')
  const { master, slave } = openpty({ rows, columns } as OpenptyOptions)
  let pid: number
  try {
    pid = fork(forkOptions)
  } catch (error) {
    closeSync(master)
    closeSync(slave)
    throw error
  }
  if (pid === 0) {
    binding.enterPty(master, slave)
    process.emit('SIGWINCH', 'SIGWINCH') // a stream made for another terminal remembers that one's size
    return { pid, fd: -1 }
  }
  closeSync(slave)
  return { pid, fd: master }
}

/**
 * Tells a terminal's size.
 *
 * @param fd a terminal, or the master of a pseudo-terminal (int32)
 * @throws PosixError ENOTTY, EBADF. Source: tcgetwinsize(3), POSIX.1-2024.
 */
export function tcgetwinsize(fd: number): WindowSize {
  const [failure, rows, columns] = binding.tcgetwinsize(toInt32(fd, 'fd'))
  checked(failure, 'tcgetwinsize')
  return { rows, columns }
}

/**
 * Sets a terminal's size. The processes in its foreground get a SIGWINCH.
 *
 * @param fd a terminal, or the master of a pseudo-terminal (int32)
 * @param size rows and columns, each from 0 to 65535
 * @throws PosixError ENOTTY, EBADF. Source: tcsetwinsize(3), POSIX.1-2024.
 */
export function tcsetwinsize(fd: number, size: WindowSize): void {
  if (typeof size !== 'object' || size === null) throw invalidArgType('size', 'of type object', size)
  const descriptor = toInt32(fd, 'fd')
  const [rows, columns] = [toCount(size.rows, 'size.rows'), toCount(size.columns, 'size.columns')]
  checked(binding.tcsetwinsize(descriptor, rows, columns), 'tcsetwinsize')
}

function toSize({ rows, columns }: Record<string, unknown>): WindowSize | undefined {
  if (rows === undefined && columns === undefined) return undefined
  const count = (value: unknown, name: string): number => (value === undefined ? 0 : toCount(value, name))
  return { rows: count(rows, 'options.rows'), columns: count(columns, 'options.columns') }
}

function toCount(value: unknown, name: string): number {
  const count = toInt32(value, name)
  if (count < 0 || count > 0xffff) throw outOfRange(name, '>= 0 && <= 65535', value)
  return count
}
