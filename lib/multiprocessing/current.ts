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
