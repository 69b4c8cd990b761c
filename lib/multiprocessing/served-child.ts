// A Process that a fork server has made: a grandchild of this process. The server waits for it, and tells.
import { closeSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { P_PIDFD, WEXITED } from '../constants'
import { pidfd_send_signal } from '../pidfd'
import { waitstatusToExitcode } from '../status'
import { waitid } from '../wait-promises'
import { type Life, unknownExitCode } from './children'
import { hasEnded, type ServerLink } from './fork-server-link'
import { type Answer, ask, FrameReader, type Order, writeFrame } from './fork-server-protocol'
import { privateSocketpair } from './private-socketpair'
import { nextRequestId, toRefusal } from './worker-connection'

export class ServedChild implements Life {
  readonly pid: number
  readonly ended: Promise<void>
  readonly #link: ServerLink
  readonly #id = nextRequestId()
  readonly #connection: number
  readonly #socket: Socket
  readonly #answers = new FrameReader<Answer>()
  readonly #forgetAbandon: () => void
  readonly #early: Answer[] = []
  #pidfd: number | undefined
  #exitCode: number | undefined
  #isLost = false
  #end: () => void = () => {}

  /**
   * Has it made, and blocks until it is there: start() is done then, as with the other start methods.
   *
   * @throws ForkServerError if it can't be made
   */
  constructor(link: ServerLink, { request, fds, daemon }: Order) {
    this.#link = link
    const [own, servers] = privateSocketpair()
    try {
      try {
        link.postNow({ kind: ask.fork, id: this.#id, value: Number(daemon) }, [servers, ...fds])
      } finally {
        closeSync(servers)
      }
      writeFrame(own, request)
      this.pid = this.#awaitFork(own, request.module)
    } catch (error) {
      closeSync(own)
      throw error
    }
    this.#connection = own
    this.#socket = new Socket({ fd: own, readable: true, writable: true })
    this.#socket.unref()
    this.#socket.on('error', () => {}) // 'close' follows
    this.#socket.on('data', (bytes: Buffer) => this.#hear(bytes))
    this.#socket.on('close', () => this.#lose())
    this.#forgetAbandon = link.onAbandon(() => this.#letGo())
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    for (const answer of this.#early) this.#take(answer)
  }

  #awaitFork(connection: number, module: string): number {
    const piece = Buffer.alloc(65_536)
    for (;;) {
      const count = readIfOpen(connection, piece)
      if (count === 0) {
        this.#link.isUnheard = this.#early.length === 0
        throw this.#link.whyOverNow()
      }
      const answers = this.#answers.push(Buffer.from(piece.subarray(0, count)))
      const forked = answers.find((answer) => answer.type === 'forked')
      // A short life may be told in one piece.
      this.#early.push(...answers.filter((answer) => answer !== forked))
      const failed = this.#early.find((answer) => answer.type === 'failed')
      if (forked === undefined && failed?.type === 'failed') throw toRefusal(failed, module)
      if (forked?.type !== 'forked') continue
      if (forked.hasPidfd) this.#pidfd = this.#link.takePidfd(this.#id)
      return forked.pid
    }
  }

  /** Its exit code; undefined: it runs. What has come since the event loop last looked counts. */
  poll(): number | undefined {
    const piece = Buffer.alloc(65_536)
    try {
      while (this.#exitCode === undefined && !this.#isLost) {
        const count = readSync(this.#connection, piece)
        if (count === 0) break // the event loop finds out, too
        this.#hear(Buffer.from(piece.subarray(0, count)))
      }
    } catch {} // EAGAIN: nothing new
    // Without the server nobody knows how it ended.
    if (this.#isLost && (this.#pidfd === undefined || hasEnded(this.#pidfd))) this.#finish(unknownExitCode)
    return this.#exitCode
  }

  signal(signal: number): void {
    if (this.poll() !== undefined) return
    if (this.#pidfd !== undefined) pidfd_send_signal(this.#pidfd, signal)
    else this.#link.post({ kind: ask.kill, id: this.#id, value: signal }, [])
  }

  #hear(bytes: Buffer): void {
    for (const answer of this.#answers.push(bytes)) this.#take(answer)
  }

  #take(answer: Answer): void {
    if (answer.type === 'failed') process.emitWarning(toRefusal(answer, 'a Process'))
    if (answer.type !== 'ended') return
    this.#finish(answer.status === null ? unknownExitCode : waitstatusToExitcode(answer.status))
  }

  /** The connection is closed: the child has ended, or the server has died. */
  #lose(): void {
    if (this.#exitCode !== undefined) return
    this.#isLost = true
    const end =
      this.#pidfd === undefined ? Promise.resolve() : waitid(P_PIDFD as number, this.#pidfd, WEXITED).catch(() => {})
    void end.then(() => this.#finish(unknownExitCode))
  }

  #finish(exitCode: number): void {
    if (this.#exitCode !== undefined) return
    this.#exitCode = exitCode
    this.#forgetAbandon()
    this.#letGo()
    this.#end()
  }

  #letGo(): void {
    this.#isLost = true
    this.#socket.removeAllListeners()
    this.#socket.destroy()
    if (this.#pidfd !== undefined) closeSync(this.#pidfd)
    this.#pidfd = undefined
  }
}

/** 0: the other end is closed, be it with something unread. */
function readIfOpen(fd: number, piece: Buffer): number {
  try {
    return readSync(fd, piece)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return 0
    throw error
  }
}
