// The fork server: a clean Node that has its modules loaded, and forks a worker for whoever asks.
import { closeSync } from 'node:fs'
import { F_DUPFD_CLOEXEC } from '../constants'
import { fcntl } from '../descriptors'
import { ForkServerError } from './fork-server-error'
import { diedError, ServerLink } from './fork-server-link'
import {
  type ForkedWorkerOptions,
  type ForkServerOptions,
  toGrace,
  toOrder,
  toServerOptions,
} from './fork-server-options'
import { ask } from './fork-server-protocol'
import type { ForkedWorker } from './forked-worker'
import { reviveError } from './remote-error'
import { preloadError, WorkerConnection } from './worker-connection'

/**
 * A process of its own that has modules loaded, and forks warm workers on request. Only the owner, the thread that
 * started it, can ask it; it ends with its owner.
 *
 * Its workers are its children: it waits for them, and their ends are told to the owner. It starts with nothing of its
 * owner's but 0-2 and the environment, so that a worker has none of the owner's memory, threads and descriptors.
 * Where a child of fork can't have all threads it is started with `--single-threaded --v8-pool-size=0`.
 * A pending request, and a worker that runs, keep the owner's event loop alive; the server alone doesn't.
 */
export class ForkServer {
  readonly #link: ServerLink
  #closed: Promise<void> | undefined

  private constructor(link: ServerLink) {
    this.#link = link
  }

  /**
   * Starts one, and resolves when its modules are loaded.
   *
   * @param options see {@link ForkServerOptions}
   * @throws as a rejection: ForkServerError ERR_FORK_SERVER_PRELOAD: a module can't be imported, `cause` says why, and
   *   nothing is left; ERR_FORK_SERVER_DIED: it ended meanwhile
   * @throws as a rejection: PosixError as posix_spawn does
   * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE as a rejection, before anything happens
   */
  static async start(options?: ForkServerOptions): Promise<ForkServer> {
    const { preload, ...node } = toServerOptions(options)
    const link = new ServerLink(preload, node)
    const greeting = await link.greeting()
    if (greeting === undefined) throw diedError(link.pid, `${await link.ended} while it loaded its modules`)
    const server = new ForkServer(link)
    if (greeting.type === 'ready') return server
    await server.close()
    throw preloadError(reviveError(greeting.error))
  }

  /** The server's process. */
  get pid(): number {
    return this.#link.pid
  }

  /**
   * Forks a worker, which imports a module, or has it already, and calls a function of it. Any number of requests may be
   * pending; they are served in turn. The worker ends as a program does: when nothing is left to do for it, by
   * process.exit, by an error that nobody catches (1), or by a signal.
   *
   * @param options see {@link ForkedWorkerOptions}
   * @returns the worker, once it calls its function
   * @throws as a rejection: ForkServerError ERR_FORK_SERVER_WORKER: it didn't come so far, as the module can't be
   *   imported or has no such function, or the directory isn't there, or no process could be made: `cause` says why;
   *   ERR_FORK_SERVER_DIED: the server has ended; ERR_FORK_SERVER_CLOSED: it was closed, or it is the parent's of
   *   this process. No process is left then.
   * @throws as a rejection: PosixError EBADF: a descriptor isn't open; EMFILE
   * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE as a rejection, before anything happens
   * The descriptors may be closed here as soon as the call has returned. Source: fork(2), unix(7).
   */
  async fork(options: ForkedWorkerOptions): Promise<ForkedWorker> {
    const order = toOrder(options)
    if (this.#closed !== undefined) throw new ForkServerError('ERR_FORK_SERVER_CLOSED', 'the fork server was closed')
    if (this.#link.isOver) throw await this.#link.whyOver()
    return new WorkerConnection(this.#link, { ...order, fds: copies(order.fds) }).started
  }

  /**
   * Ends the server: no more requests from now on. Workers, those too that are only starting, get SIGTERM, and SIGKILL
   * if that hasn't ended them in time; for those that are no daemons it waits.
   *
   * @param options `graceMs`: milliseconds from SIGTERM to SIGKILL (default 1000)
   * @returns resolves when the server and all its workers have ended, however often it is called
   * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE as a rejection
   */
  async close(options?: { graceMs?: number | undefined }): Promise<void> {
    const graceMs = toGrace(options)
    this.#closed ??= this.#end(graceMs)
    return this.#closed
  }

  async #end(graceMs: number): Promise<void> {
    this.#link.ref()
    this.#link.post({ kind: ask.close, id: 0, value: graceMs }, [])
    await this.#link.ended
  }
}

/** Descriptors of our own: the caller may close his before there is room to send them. */
function copies(fds: readonly number[]): number[] {
  const made: number[] = []
  try {
    for (const fd of fds) made.push(fcntl(fd, F_DUPFD_CLOEXEC))
    return made
  } catch (error) {
    for (const fd of made) closeSync(fd)
    throw error
  }
}
