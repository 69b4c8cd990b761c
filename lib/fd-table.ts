// What this process has open: proc(5), getsockname(2).
import { constants as fsConstants } from 'node:fs'
import { binding, type RawTableRow } from './binding'
import { FD_CLOEXEC, O_RDWR, O_WRONLY } from './constants'
import { checked } from './errors'

/** What a descriptor is. `other`: its target says more. */
export type FdKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'pipe'
  | 'fifo'
  | 'socket'
  | 'tty'
  | 'character-device'
  | 'block-device'
  | 'memfd'
  | 'epoll'
  | 'eventfd'
  | 'timerfd'
  | 'signalfd'
  | 'inotify'
  | 'fanotify'
  | 'pidfd'
  | 'io_uring'
  | 'kqueue'
  | 'other'

export interface SocketInfo {
  domain: 'unix' | 'inet' | 'inet6' | 'other'
  type: 'stream' | 'dgram' | 'seqpacket' | 'raw' | 'other'
  /** 'listening', 'established', 'unconnected'; of TCP also 'syn-sent', 'close-wait', ..., as netstat(8) has them. */
  state: string
  /** `127.0.0.1:80`, `[::1]:80`, a path, `@name` for an abstract one; empty: it has no name. */
  local: string
  /** The same of the other end; null: not connected. */
  remote: string | null
}

/** An open descriptor. */
export interface FdInfo {
  fd: number
  kind: FdKind
  /** The path, or the kernel's name: `pipe:[12]`, `anon_inode:[eventfd]`; a socket's with its addresses and state. */
  target: string
  /** True: an exec closes it. */
  cloexec: boolean
  /** Access mode and status flags, O_RDONLY | O_APPEND and so on, as F_GETFL answers. */
  flags: number
  /** In bytes; null: it has none. */
  offset: number | null
  /** Type and permissions, as `fs.Stats.mode`. */
  mode: number
  /** The descriptors of this process that are the other end of this pipe or UNIX socket. */
  peers?: number[]
  socket?: SocketInfo
  /** A pidfd's process; -1: it has been reaped. */
  pid?: number
}

/**
 * Lists what the calling thread has open, but nothing that the listing itself needs. A full table is no reason to fail.
 *
 * @returns the descriptors by number, each with what it is
 * @throws PosixError ENOENT: no /proc; ENFILE: the system's table is full
 * Source: /proc/thread-self/fd, fcntl(2), fstat(2), sock_diag(7); proc_pidinfo on macOS.
 */
export function fdTable(): FdInfo[] {
  const [failure, ...rows] = binding.descriptorTable()
  checked(failure, 'opendir', failure < 0 ? '/proc/thread-self/fd' : undefined)
  return rows.map((row) => describe(row, rows))
}

function describe(row: RawTableRow, rows: readonly RawTableRow[]): FdInfo {
  const { fd, flags, offset, mode, socket, pid } = row
  const target = socket === null ? row.target : `${row.target} ${socketWords(socket)}`
  const info: FdInfo = {
    fd,
    kind: kindOf(row),
    target,
    cloexec: (row.descriptorFlags & FD_CLOEXEC) !== 0,
    flags,
    offset: offset < 0 ? null : offset,
    mode,
  }
  if (row.peer !== null) info.peers = rows.filter((other) => isPeer(row, other)).map((other) => other.fd)
  if (socket !== null) info.socket = socket
  if (pid !== 0) info.pid = pid
  return info
}

/** On Linux both ends of a pipe are one inode: there the one that reads is the peer of the one that writes. */
function isPeer(row: RawTableRow, other: RawTableRow): boolean {
  if (other.fd === row.fd || other.target !== row.peer) return false
  const access = [row, other].map(({ flags }) => flags & (O_WRONLY | O_RDWR))
  return row.target !== row.peer || access[0] !== access[1] || access[0] === O_RDWR
}

function socketWords({ domain, type, state, local, remote }: SocketInfo): string {
  const isInternet = domain === 'inet' || domain === 'inet6'
  const protocol = isInternet ? ({ stream: 'tcp', dgram: 'udp' }[type as string] ?? type) : `${domain} ${type}`
  const to = remote ? `-> ${remote}` : ''
  return [protocol, local, to, state].filter(Boolean).join(' ')
}

const anonymousKinds: Readonly<Record<string, FdKind>> = {
  eventpoll: 'epoll',
  eventfd: 'eventfd',
  timerfd: 'timerfd',
  signalfd: 'signalfd',
  inotify: 'inotify',
  fanotify: 'fanotify',
  pidfd: 'pidfd',
  io_uring: 'io_uring',
}

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK } = fsConstants
const kindsByType: Readonly<Record<number, FdKind>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
  [S_IFIFO]: 'fifo',
  [S_IFSOCK]: 'socket',
  [S_IFCHR]: 'character-device',
  [S_IFBLK]: 'block-device',
}

/** What a descriptor is, by its target and the mode of what is behind it. */
export function kindOf({ target, mode, terminal }: Pick<RawTableRow, 'target' | 'mode' | 'terminal'>): FdKind {
  if (terminal) return 'tty'
  if (target.startsWith('pipe:[')) return 'pipe'
  if (target === 'kqueue') return 'kqueue'
  if (target.startsWith('/memfd:') && target.endsWith(' (deleted)')) return 'memfd'
  // `anon_inode:[eventpoll]`, but `anon_inode:inotify`.
  const [, anonymous] = /^anon_inode:\[?(\w+)/.exec(target) ?? []
  if (anonymous !== undefined) return anonymousKinds[anonymous] ?? 'other'
  const kind = kindsByType[mode & S_IFMT] ?? 'other'
  // Files of the kernel's own, such as namespaces (`net:[12]`), have no path.
  return kind === 'file' && /^\w+:\[/.test(target) ? 'other' : kind
}
