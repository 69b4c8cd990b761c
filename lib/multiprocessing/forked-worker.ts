// A worker of a fork server, as its owner has it: a grandchild, which the server waits for.
import { closeSync } from 'node:fs'
import { P_PIDFD, WEXITED } from '../constants'
import { PosixError } from '../errors'
import { pidfd_send_signal } from '../pidfd'
import { describeStatus } from '../status'
import { type Signal, toSignal } from '../validate'
import { waitid } from '../wait-promises'
import type { ForkServerError } from './fork-server-error'
import { hasEnded, type ServerLink } from './fork-server-link'
import { ask } from './fork-server-protocol'

/** How a worker ended: by itself, with a code, or by a signal. One of the two is null. */
export interface WorkerExit {
  code: number | null
  signal: NodeJS.Signals | number | null
}

/** What the owner's end of a worker's connection tells. */
export interface WorkerLife {
  link: ServerLink
  /** The request that made it. */
  id: number
  pid: number
  /** Its end; a rejection: the server had died before it could tell. */
  ended: Promise<number>
}

/** A worker that runs its function, or has ended. */
export class ForkedWorker {
  /** Its process. To signal it use {@link ForkedWorker.kill}: once it has ended, the pid may become another's. */
  readonly pid: number
  /**
   * How it ended. Rejects with ERR_FORK_SERVER_DIED once it has ended, if the fork server died before it: nobody knows
   * how then. Nobody needs to listen.
   */
  readonly exited: Promise<WorkerExit>
  readonly #life: WorkerLife
  #pidfd: number | undefined
  #hasExited = false

  /** @internal Workers come from {@link ForkServer.fork}. */
  constructor(life: WorkerLife, pidfd: number | undefined) {
    this.#life = life
    this.pid = life.pid
    this.#pidfd = pidfd
    this.exited = life.ended.then(
      (status) => {
        this.#forget()
        return toExit(status)
      },
      async (error: ForkServerError) => {
        // Without the server a worker that is no daemon goes on.
        if (this.#pidfd !== undefined) await waitid(P_PIDFD as number, this.#pidfd, WEXITED).catch(() => {})
        this.#forget()
        throw error
      },
    )
    this.exited.catch(() => {})
  }

  /** Whether it runs. The kernel is asked where it can be (pidfds), so that no end goes unnoticed. */
  isAlive(): boolean {
    return !this.#hasExited && (this.#pidfd === undefined || !hasEnded(this.#pidfd))
  }

  /**
   * Sends it a signal, and never another process: by its pidfd, or where there are none through the server.
   *
   * @param signal a name or a number; default SIGTERM
   * @returns whether it was sent; false: the worker has ended
   * @throws PosixError EINVAL: no such signal; EPERM: the worker has changed its user
   * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE: no int32, no known name
   */
  kill(signal: Signal = 'SIGTERM'): boolean {
    const number = toSignal(signal, 'signal')
    if (!this.isAlive()) return false
    if (this.#pidfd === undefined) {
      const { link, id } = this.#life
      if (link.isOver) return false
      link.post({ kind: ask.kill, id, value: number }, [])
      return true
    }
    try {
      pidfd_send_signal(this.#pidfd, number)
      return true
    } catch (error) {
      if (error instanceof PosixError && error.code === 'ESRCH') return false
      throw error
    }
  }

  #forget(): void {
    this.#hasExited = true
    if (this.#pidfd !== undefined) closeSync(this.#pidfd)
    this.#pidfd = undefined
  }
}

function toExit(status: number): WorkerExit {
  const ending = describeStatus(status)
  return ending.kind === 'exited'
    ? { code: ending.code, signal: null }
    : { code: null, signal: (ending as { signal: NodeJS.Signals | number }).signal }
}
