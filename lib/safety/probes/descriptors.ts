// Hazards of what is open: the child has the same sockets, files and rings.
import { fstatSync } from 'node:fs'
import { binding, type RawDescriptor } from '../../binding'
import { type FdInfo, fdTable } from '../../fd-table'
import { debuggerSockets } from '../inspector'
import { counted, listed, type Situation } from '../situation'
import { textOf } from './kernel-text'

export function pendingWrites(): string | undefined {
  const pending = binding.pendingWrites()
  if (pending.length === 0) return undefined
  const table = fdTable()
  const places = pending.map(({ fd, size }) => `${counted(size, 'byte')} to ${where(fd, table)}`)
  return `parent and child would both send what this process has still to write: ${listed(places)}`
}

// What the descriptors 0-2 are is everybody's who inherits them.
const firstOwn = 3

export function sharedSockets({ kept, descriptors }: Situation): string | undefined {
  // The debugger's the child closes.
  const parents = kept === 'all' ? debuggerSockets() : []
  const shared = descriptors.filter(
    ({ fd, socket, peers = [] }) =>
      fd >= firstOwn &&
      !parents.includes(fd) &&
      socket !== undefined &&
      socket.domain !== 'other' &&
      (socket.remote !== null || socket.state === 'listening' || socket.local !== '') &&
      // A pair with both ends here the child has for itself.
      !(kept === 'all' && peers.length > 0),
  )
  if (shared.length === 0) return undefined
  const places = listed(shared.map(({ fd, target }) => `${fd} (${target})`))
  return `parent and child would both read from ${counted(shared.length, 'socket')}, and what one reads the other misses: ${places}`
}

/** As process._getActiveHandles gives them: undocumented, but the only list of this thread's sockets. */
interface ActiveHandle {
  encrypted?: boolean
  server?: unknown
  remoteAddress?: string
  remotePort?: number
}

export function tlsSessions(): string | undefined {
  const { moduleLoadList } = process as unknown as { moduleLoadList?: readonly string[] }
  if (moduleLoadList !== undefined && !moduleLoadList.includes('NativeModule tls')) return undefined
  const { Server } = require('node:tls') as typeof import('node:tls')
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?(): ActiveHandle[] }
  // A server's end is listed as the socket below it.
  const sessions = (_getActiveHandles?.call(process) ?? []).filter(
    ({ encrypted, server }) => encrypted === true || server instanceof Server,
  )
  if (sessions.length === 0) return undefined
  const peers = listed(sessions.map(({ remoteAddress, remotePort }) => `${remoteAddress}:${remotePort}`))
  return `parent and child would both speak on ${counted(sessions.length, 'TLS connection')}, and the peer ends one as soon as both have written: ${peers}`
}

export function ioUring({ unrebuilt }: Situation): string | undefined {
  const rings = unrebuilt.filter(({ kind }) => kind === 'io_uring')
  return describeShared(rings, 'a ring of io_uring would be one for parent and child')
}

export function unrebuiltDescriptor({ unrebuilt }: Situation): string | undefined {
  const others = unrebuilt.filter(({ kind }) => kind !== 'io_uring')
  return describeShared(others, 'parent and child take events from each other by')
}

function describeShared(found: readonly RawDescriptor[], words: string): string | undefined {
  if (found.length === 0) return undefined
  return `${words}: ${found.map(({ fd, kind }) => `${fd} (${kind})`).join(', ')}`
}

// "1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF": those that wait have an arrow before; proc_locks(5). flock(2)'s, and
// open file description locks, belong to the file that parent and child have in common.
const lockLine = /^\d+: POSIX +\w+ +(READ|WRITE) +(\d+) [\da-f]+:[\da-f]+:(\d+) (\d+) (\w+)$/

export function recordLocks({ descriptors }: Situation): string | undefined {
  const locks = textOf('/proc/locks')
    .split('\n')
    .flatMap((line) => {
      const [, kind, pid, inode, from, to] = lockLine.exec(line) ?? []
      return Number(pid) === process.pid ? [{ kind, inode: Number(inode), from, to }] : []
    })
  if (locks.length === 0) return undefined
  const places = locks.map(({ kind, inode, from, to }) => {
    const file = descriptors.find((row) => row.kind === 'file' && inodeOf(row.fd) === inode)
    return `${file === undefined ? `inode ${inode}` : `${file.fd} (${file.target})`} ${kind?.toLowerCase()} ${from}-${to}`
  })
  return `the child would not hold ${counted(locks.length, 'record lock')} that this process holds: ${listed(places)}`
}

function inodeOf(fd: number): number {
  try {
    return fstatSync(fd).ino
  } catch {
    return -1 // closed meanwhile, by a Worker
  }
}

function where(fd: number, table: readonly FdInfo[]): string {
  const row = table.find((each) => each.fd === fd)
  return row === undefined ? `${fd}` : `${fd} (${row.target})`
}
