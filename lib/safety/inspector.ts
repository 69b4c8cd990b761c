// Node's inspector around a fork: the parent keeps its port and its debuggers, and the child gets a port of its own.
import { isIP } from 'node:net'
import { fdTable } from '../fd-table'

/** Above the ports that servers are wont to have, and below those that Linux gives by itself. */
const firstPort = 10_000
const portCount = 22_768

/** The sockets that the inspector of this process listens on: what they serve is the parent's alone after a fork. */
export function debuggerSockets(): number[] {
  const url = inspectorUrl()
  if (url === undefined) return []
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  return fdTable()
    .filter(({ socket }) => {
      if (socket?.state !== 'listening' || !socket.local.endsWith(`:${port}`)) return false
      // Another server may have the same port at another address. A name stands for any of its addresses.
      return isIP(host) === 0 || socket.local === `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
    })
    .map(({ fd }) => fd)
}

/**
 * Opens the child's own inspector if its parent's is open; Node says on stderr where. The sessions of the parent's
 * debuggers end here, with the breakpoints that they set; those of node:inspector's Session go on.
 *
 * Otherwise SIGUSR1 will open it, on a port after the child's pid: that of the parent may be taken by then.
 */
export function mendInspector(isChild: boolean): void {
  const own = inspector()
  if (own === undefined || !isChild) return
  if (own.url() === undefined) {
    // Not 0, any that is free: node:cluster counts on from it. And 0 stays what it is.
    if (process.debugPort !== 0) process.debugPort = firstPort + (process.pid % portCount)
    return
  }
  own.close()
  own.open(0)
}

/** Where a debugger can connect to this process, by --inspect, inspector.open() or SIGUSR1; undefined: it can't. */
export function inspectorUrl(): string | undefined {
  return inspector()?.url()
}

let loaded: typeof import('node:inspector') | undefined

/** Undefined where Node was built without it. Loaded by the parent at its first fork, for its children too. */
function inspector(): typeof import('node:inspector') | undefined {
  if (loaded === undefined && process.features.inspector) loaded = require('node:inspector')
  return loaded
}
