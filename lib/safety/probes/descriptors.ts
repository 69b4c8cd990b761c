// Hazards of what is open: the child has the same sockets, files and rings.
import { binding, type RawDescriptor } from '../../binding'
import type { FdInfo } from '../../fd-table'
import { debuggerSockets } from '../inspector'
import { counted, listed, type Situation } from '../situation'
import { textOf } from './kernel-text'

export function pendingWrites(situation: Situation): string | undefined {
  const pending = binding.pendingWrites()
  if (pending.length === 0) return undefined
  const { descriptors } = situation // read here, as few forks come to it
  const places = pending.map(({ fd, size }) => `${counted(size, 'byte')} to ${where(fd, descriptors)}`)
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

// "lock:	1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF". flock(2)'s, and open file description locks, belong to the
// file that parent and child have in common. Not /proc/locks, which makes all processors wait for each other: 10 ms.
const lockLine = /^lock:\s+\d+: POSIX +\S+ +(\S+) \d+ \S+ (\d+) (\S+)$/gm

export function recordLocks({ descriptors }: Situation): string | undefined {
  const locks = new Map<string, string>()
  for (const { fd, kind, target } of descriptors) {
    if (kind !== 'file') continue
    for (const [line, how, from, to] of textOf(`/proc/self/fdinfo/${fd}`).matchAll(lockLine)) {
      // Each duplicate of a descriptor tells the same.
      if (!locks.has(line)) locks.set(line, `${fd} (${target}) ${how?.toLowerCase()} ${from}-${to}`)
    }
  }
  if (locks.size === 0) return undefined
  const places = [...locks.values()]
  return `the child would not hold ${counted(places.length, 'record lock')} that this process holds: ${listed(places)}`
}

function where(fd: number, table: readonly FdInfo[]): string {
  const row = table.find((each) => each.fd === fd)
  return row === undefined ? `${fd}` : `${fd} (${row.target})`
}
