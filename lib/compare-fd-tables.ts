// Two looks at the descriptors of a process, and what has happened between them.
import { O_APPEND, O_NONBLOCK, O_RDWR, O_WRONLY } from './constants'
import { invalidArgType } from './errors'
import type { FdInfo } from './fd-table'

/** One number at both times. */
export interface FdChange {
  before: FdInfo
  after: FdInfo
}

export interface FdTableDifference {
  opened: FdInfo[]
  closed: FdInfo[]
  /** Open at both times, but not alike in kind, target, flags or FD_CLOEXEC. */
  changed: FdChange[]
  /** A line for each of these, to be printed; empty: no difference. */
  text: string
}

/**
 * Tells what was opened, closed or replaced between two calls of `fdTable`: a test's leaks, in words. Offsets, modes and
 * peers aren't compared.
 *
 * @param before what `fdTable()` returned first
 * @param after what it returned later, or in another process
 */
export function compareFdTables(before: readonly FdInfo[], after: readonly FdInfo[]): FdTableDifference {
  const [old, young] = [byNumber(before, 'before'), byNumber(after, 'after')]
  const opened = after.filter(({ fd }) => !old.has(fd))
  const closed = before.filter(({ fd }) => !young.has(fd))
  const changed = before.flatMap((info) => {
    const now = young.get(info.fd)
    return now !== undefined && !isAlike(info, now) ? [{ before: info, after: now }] : []
  })
  const lines = [
    ...opened.map((info) => `opened ${info.fd}: ${words(info)}`),
    ...closed.map((info) => `closed ${info.fd}: ${words(info)}`),
    ...changed.map((pair) => `changed ${pair.before.fd}: ${words(pair.before)} => ${words(pair.after)}`),
  ]
  return { opened, closed, changed, text: lines.join('\n') }
}

function byNumber(table: unknown, name: string): Map<number, FdInfo> {
  if (!Array.isArray(table)) throw invalidArgType(name, 'an instance of Array', table)
  return new Map((table as FdInfo[]).map((info) => [info.fd, info]))
}

function isAlike(one: FdInfo, other: FdInfo): boolean {
  const identity = ({ kind, target, flags, cloexec }: FdInfo): unknown[] => [kind, target, flags, cloexec]
  return identity(one).every((value, index) => value === identity(other)[index])
}

function words({ kind, target, flags, cloexec }: FdInfo): string {
  const access = ['O_RDONLY', 'O_WRONLY', 'O_RDWR'][flags & (O_WRONLY | O_RDWR)]
  const append = (flags & O_APPEND) !== 0 && 'O_APPEND'
  const nonblock = (flags & O_NONBLOCK) !== 0 && 'O_NONBLOCK'
  return [kind, target, access, append, nonblock, cloexec && 'FD_CLOEXEC'].filter(Boolean).join(' ')
}
