// currentProcess() and parentProcess().
import { found } from '../exit-watch'
import { liveChildren } from './children'
import { forkServer, ownIdentity, ownName } from './current'
import type { Process } from './process'

/** The process that asks. In a child it is the Process that was started. */
export interface CurrentProcess {
  readonly name: string
  readonly pid: number | null
  readonly daemon: boolean
  isAlive(): boolean
}

/** The process that started this one. */
export interface ParentProcess {
  readonly name: string
  readonly pid: number
  isAlive(): boolean
  /**
   * Waits for its end, while the event loop goes on.
   *
   * @param timeoutMs milliseconds to wait at most; default: for ever
   * @returns whether it has ended
   */
  join(timeoutMs?: number): Promise<boolean>
}

const main: CurrentProcess = {
  get name() {
    return ownName()
  },
  get pid() {
    return process.pid
  },
  daemon: false,
  isAlive: () => true,
}

let current: CurrentProcess = main

/** In a child. */
export function setCurrent(process: CurrentProcess): void {
  current = process
}

export function isCurrent(process: object): boolean {
  return current === process
}

/** The Process that this code runs in; in the main process an object of the same kind, named MainProcess. */
export function currentProcess(): CurrentProcess {
  return current
}

/** The process that started this one as a Process; null in the main process. */
export function parentProcess(): ParentProcess | null {
  const identity = ownIdentity()
  if (identity === undefined) return null
  const { parentName: name, parentPid: pid } = identity
  // Whoever loses its parent gets another at once. A fork server ends with its owner, and is its children's parent.
  const kernelsParent = forkServer() ?? pid
  const isAlive = () => process.ppid === kernelsParent
  return { name, pid, isAlive, join: (timeoutMs) => joinParent(pid, isAlive, timeoutMs) }
}

async function joinParent(pid: number, isAlive: () => boolean, timeoutMs?: number): Promise<boolean> {
  const look = () => (isAlive() ? undefined : true)
  const giveUp = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)
  try {
    return await found({ look, process: { isPidfd: false, id: pid }, hasMore: false }, giveUp)
  } catch {
    return !isAlive()
  }
}

/** The Processes of this process that run, the first started first. Others are reaped, as everywhere. */
export function activeChildren(): Process[] {
  return liveChildren().flatMap(({ owner }) => (owner === undefined ? [] : [owner]))
}
