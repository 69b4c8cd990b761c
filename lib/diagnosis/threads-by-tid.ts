// Who a tid in a process's memory means. After a fork the same thread has another one, and some have gone.
import { existsSync } from 'node:fs'
import type { RawForkRecord } from '../binding'
import type { ProcessView, ThreadView } from './process-view'

/** Whoever a lock says holds it. */
export interface LockOwner {
  /** As the lock has it. */
  tid: number
  /** Of the thread: now, or at the fork; null: not known. */
  name: string | null
  /** Its tid in this process now; null: it has no such thread, or that isn't known. */
  tidHere: number | null
  /** Whether there is such a thread, here or, of a lock in shared memory, anywhere; null: that can't be told. */
  exists: boolean | null
  /** True: it was a thread at the fork that made this process, and isn't in it. */
  leftAtFork: boolean
}

/** Under the option hidepid= other users' processes seem not to be there. */
const isHiding = (): boolean => !existsSync('/proc/1')

export class ThreadsByTid {
  readonly #threads: readonly ThreadView[]
  readonly #record: RawForkRecord | null
  readonly #nested: boolean

  constructor(view: ProcessView, threads: readonly ThreadView[], record: RawForkRecord | null) {
    this.#threads = threads
    this.#record = record
    this.#nested = view.ownPid !== view.pid
  }

  /** True if a number can be the tid of a thread that this process has or had. */
  knows(tid: number): boolean {
    return this.#living(tid) !== undefined || this.#former(tid) !== undefined
  }

  /** The owner of a lock in memory that this process has for itself, or, `shared`, with others. */
  owner(tid: number, shared: boolean): LockOwner {
    const living = this.#living(tid)
    const former = this.#former(tid)
    const noted = this.#record?.threads.find((thread) => thread.tid === tid)
    const known = { tid, leftAtFork: noted !== undefined && noted.tidHere === 0 && living === undefined }
    if (shared) {
      // The tid is that of its process, which may be any.
      const exists = living !== undefined || (this.#nested || isHiding() ? null : existsSync(`/proc/${tid}`))
      return { ...known, name: living?.name ?? null, tidHere: living?.tid ?? null, exists, leftAtFork: false }
    }
    const heir = former === undefined || former === 0 ? undefined : this.#living(former)
    if (living !== undefined) {
      // The kernel may have used the number again: then it can't be told which of the two is meant.
      const isAmbiguous = former !== undefined && former !== living.ownTid
      return {
        ...known,
        name: living.name,
        tidHere: isAmbiguous ? null : living.tid,
        exists: isAmbiguous ? null : true,
      }
    }
    if (heir !== undefined) return { ...known, name: heir.name, tidHere: heir.tid, exists: true }
    // Without a record the process may have been made by any fork, and a living thread had that tid before it.
    const isGone = former !== undefined || this.#record?.complete === true
    return { ...known, name: noted?.name ?? null, tidHere: null, exists: isGone ? false : null }
  }

  #living(tid: number): ThreadView | undefined {
    return this.#threads.find(({ ownTid, state }) => ownTid === tid && state !== 'Z' && state !== 'X')
  }

  /** The tid that a thread of a forefather has here, 0: none; undefined: there was no such thread. */
  #former(tid: number): number | undefined {
    return this.#record?.former.find(([then]) => then === tid)?.[1]
  }
}
