// Who this process is, in the family tree of Processes.

/** What a process is told of itself by its parent. */
export interface ProcessIdentity {
  name: string
  /** Which child of which: [2, 1] is the first child of the main process' second. */
  path: readonly number[]
  daemon: boolean
  parentName: string
  parentPid: number
}

let own: ProcessIdentity | undefined
let server: number | undefined
let children = 0
let isImporting = false

/** undefined: the main process. */
export function ownIdentity(): ProcessIdentity | undefined {
  return own
}

export function ownName(): string {
  return own?.name ?? 'MainProcess'
}

/** In a child, before its target runs. */
export function becomeProcess(identity: ProcessIdentity): void {
  own = identity
  children = 0
}

/** In a child that a fork server has made. */
export function setForkServer(pid: number): void {
  server = pid
}

/** The fork server that made this process, if one did. */
export function forkServer(): number | undefined {
  return server
}

/** The path of the next Process that is made here. */
export function nextPath(): readonly number[] {
  children++
  return [...(own?.path ?? []), children]
}

/** A child that is no copy imports modules first: one that starts a Process as it is imported would do so for ever. */
export function setImporting(is: boolean): void {
  isImporting = is
}

export function importsModules(): boolean {
  return isImporting
}
