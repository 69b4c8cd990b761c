// One request to a fork server, and the life of the worker that comes of it, by a connection of its own.
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { ForkServerError } from './fork-server-error'
import { abandonedError, endingOf, type ServerLink } from './fork-server-link'
import { type Answer, ask, FrameReader, type Order, toFrame } from './fork-server-protocol'
import { ForkedWorker } from './forked-worker'
import { privateSocketpair } from './private-socketpair'
import { reviveError } from './remote-error'

interface Settler<Value> {
  promise: Promise<Value>
  resolve(value: Value): void
  reject(error: unknown): void
}

function settler<Value>(): Settler<Value> {
  let settle: Omit<Settler<Value>, 'promise'> | undefined
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject }
  })
  promise.catch(() => {}) // whoever wants to know of it asks
  return { promise, ...(settle as Omit<Settler<Value>, 'promise'>) }
}

let lastId = 0

export function nextRequestId(): number {
  lastId = (lastId + 1) | 0
  return lastId
}

export class WorkerConnection {
  readonly #link: ServerLink
  readonly #module: string
  readonly #daemon: boolean
  readonly #id = nextRequestId()
  readonly #socket: Socket
  readonly #answers = new FrameReader<Answer>()
  readonly #forgetAbandon: () => void
  readonly #started = settler<ForkedWorker>()
  readonly #ended = settler<number>()
  #worker: ForkedWorker | undefined
  #isLoaded = false
  #refusal: unknown
  /** Of the worker that has ended; null: not known. */
  #status: number | null | undefined

  /**
   * Sends the request.
   *
   * @param order its descriptors are closed here once they are the server's
   */
  constructor(link: ServerLink, { request, fds, daemon }: Order) {
    this.#link = link
    this.#module = request.module
    this.#daemon = daemon
    const [own, servers] = privateSocketpair()
    this.#socket = new Socket({ fd: own, readable: true, writable: true })
    this.#socket.on('error', () => {}) // 'close' follows
    this.#socket.on('data', (bytes: Buffer) => this.#hear(bytes))
    this.#socket.on('close', () => void this.#lose())
    this.#forgetAbandon = link.onAbandon(() => this.#abandon())
    link.post({ kind: ask.fork, id: this.#id, value: Number(daemon) }, [servers, ...fds], (error) => {
      for (const fd of [servers, ...fds]) closeSync(fd)
      if (error !== undefined) this.#refusal = error
    })
    this.#socket.write(toFrame(request))
  }

  /** Resolves once the worker calls its function. */
  get started(): Promise<ForkedWorker> {
    return this.#started.promise
  }

  #hear(bytes: Buffer): void {
    for (const answer of this.#answers.push(bytes)) this.#take(answer)
    if (this.#isLoaded && this.#worker !== undefined) this.#started.resolve(this.#worker)
  }

  #take(answer: Answer): void {
    if (answer.type === 'forked') this.#begin(answer.pid, answer.hasPidfd)
    else if (answer.type === 'loaded') this.#isLoaded = true
    else if (answer.type === 'ended') this.#end(answer.status)
    else if (answer.type === 'failed') this.#refusal = toRefusal(answer, this.#module)
  }

  #begin(pid: number, hasPidfd: boolean): void {
    const pidfd = hasPidfd ? this.#link.takePidfd(this.#id) : undefined
    this.#worker = new ForkedWorker({ link: this.#link, id: this.#id, pid, ended: this.#ended.promise }, pidfd)
    this.#link.flush()
  }

  /** Whoever hears of it finds no descriptor of it left. */
  #end(status: number | null): void {
    this.#status = status
    this.#socket.destroy()
  }

  /** The connection is closed: at the worker's end, after a refusal, or with the server. */
  async #lose(): Promise<void> {
    this.#forgetAbandon()
    this.#link.flush()
    if (this.#status !== undefined) this.#finish(this.#status)
    else await this.#breakOff()
  }

  #finish(status: number | null): void {
    const { pid } = this.#worker as ForkedWorker
    if (status === null) {
      const words = `worker ${pid} ended, and preloaded code of the fork server waited for it`
      this.#ended.reject(new ForkServerError('ERR_FORK_SERVER_WORKER', words))
    } else {
      this.#ended.resolve(status)
    }
    if (this.#isLoaded) return
    const words = `worker ${pid} ${status === null ? 'ended' : endingOf(status)} before it had loaded ${this.#module}`
    this.#started.reject(this.#refusal ?? new ForkServerError('ERR_FORK_SERVER_WORKER', words))
  }

  async #breakOff(): Promise<void> {
    const reason = this.#worker === undefined ? this.#refusal : undefined
    const error = reason ?? (await this.#link.whySilent())
    this.#ended.reject(error)
    // A worker that dies with its server is to be gone by then.
    if (this.#worker !== undefined && this.#daemon) await this.#worker.exited.catch(() => {})
    this.#started.reject(this.#refusal ?? error)
  }

  /** In the child of a fork of the owner's. */
  #abandon(): void {
    this.#socket.removeAllListeners()
    this.#socket.destroy()
    const error = abandonedError()
    this.#ended.reject(error)
    this.#started.reject(error)
  }
}

export function toRefusal(
  { of, error: description }: Extract<Answer, { type: 'failed' }>,
  module: string,
): ForkServerError {
  const cause = reviveError(description)
  return of === 'preload'
    ? preloadError(cause)
    : new ForkServerError('ERR_FORK_SERVER_WORKER', `no worker for ${module}: ${cause.message}`, { cause })
}

export function preloadError(cause: Error): ForkServerError {
  return new ForkServerError('ERR_FORK_SERVER_PRELOAD', `a module can't be preloaded: ${cause.message}`, { cause })
}
