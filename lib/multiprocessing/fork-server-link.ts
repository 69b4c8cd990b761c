// The owner's side of a fork server: its process, the channel and the control socket.
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { registerAtFork } from '../at-fork'
import { binding } from '../binding'
import { F_GETFL, F_SETFL, O_NONBLOCK } from '../constants'
import { fcntl } from '../descriptors'
import { PosixError } from '../errors'
import { recvFds, sendFds } from '../sockets'
import { describeStatus } from '../status'
import { type CleanNode, spawnNode } from './clean-node'
import { ForkServerError } from './fork-server-error'
import { type Asked, FrameReader, fromRecord, type News, recordSize, toRecord } from './fork-server-protocol'
import { endOfKept, reapKept, waitForKept } from './kept-child'
import { privateSocketpair } from './private-socketpair'
import { reviveError } from './remote-error'

// Of this thread. A fork's child has copies of their sockets, and must let go of them: the server has one owner.
const links = new Set<ServerLink>()
let isRegistered = false

function registerOnce(): void {
  if (isRegistered || !isMainThread) return
  isRegistered = true
  registerAtFork({
    afterInChild() {
      for (const link of links) link.abandon()
    },
  })
}

// Both mean that the server has to take some first: the socket's own limit, and that of descriptors under way.
const full = ['EAGAIN', 'ETOOMANYREFS']

export class ServerLink {
  readonly pid: number
  /** Whether the last request surely came to nothing: the server was gone before it had begun with it. */
  isUnheard = false
  /** Resolves once the server has ended and been reaped, with the words for it. */
  readonly ended: Promise<string>
  readonly #channel: number
  readonly #control: Socket
  readonly #news = new FrameReader<News>()
  readonly #pidfds = new Map<number, number>()
  readonly #abandoned = new Set<() => void>()
  readonly #waiting: (() => boolean)[] = []
  #retry: NodeJS.Timeout | undefined
  readonly #lost: Error[] = []
  readonly #hearLost: ((error: Error) => void)[] = []
  #greet: (greeting: News | undefined) => void = () => {}
  #refs = 1
  #isOver = false
  /** How it ended. */
  #words: string | undefined
  #isAbandoned = false

  constructor(preload: readonly string[], node: Pick<CleanNode, 'execArgv' | 'env' | 'cwd'>) {
    registerOnce()
    const [channel, serversChannel] = privateSocketpair()
    const [control, serversControl] = privateSocketpair()
    const script = join(__dirname, 'fork-server-main.js')
    const args = [JSON.stringify({ modules: preload, directory: process.cwd() })]
    try {
      this.pid = spawnNode({ ...node, script, args, fds: [serversChannel, serversControl] })
      binding.keepChild(this.pid)
    } catch (error) {
      for (const fd of [channel, control]) closeSync(fd)
      throw error
    } finally {
      for (const fd of [serversChannel, serversControl]) closeSync(fd)
    }
    fcntl(channel, F_SETFL, fcntl(channel, F_GETFL) | O_NONBLOCK)
    this.#channel = channel
    this.#control = new Socket({ fd: control, readable: true, writable: true })
    this.#control.on('error', () => {}) // 'close' follows
    this.#control.on('data', (bytes: Buffer) => this.#hear(bytes))
    this.ended = new Promise((resolve) => this.#control.on('close', () => resolve(this.#reap())))
    links.add(this)
  }

  /** What the server says first; undefined: it has ended. Nothing but this keeps the owner's event loop alive. */
  async greeting(): Promise<News | undefined> {
    const greeting = new Promise<News | undefined>((resolve) => {
      this.#greet = resolve
    })
    const first = await Promise.race([greeting, this.ended.then(() => undefined)])
    this.unref()
    return first
  }

  get isOver(): boolean {
    return this.#isOver
  }

  #hear(bytes: Buffer): void {
    for (const news of this.#news.push(bytes)) {
      if (news.type === 'lost') this.#lose(lostError(reviveError(news.error)))
      else this.#greet(news)
    }
  }

  #lose(error: Error): void {
    const hear = this.#hearLost.shift()
    if (hear === undefined) this.#lost.push(error)
    else hear(error)
  }

  async #reap(): Promise<string> {
    this.#isOver = true
    const status = await endOfKept(this.pid)
    this.#letGo()
    this.#words ??= endingOf(status)
    return this.#words
  }

  #letGo(): void {
    if (!links.delete(this)) return
    closeSync(this.#channel)
    for (const pidfd of this.#pidfds.values()) closeSync(pidfd)
    this.#pidfds.clear()
    clearTimeout(this.#retry)
    for (const send of this.#waiting.splice(0)) send()
  }

  /** In the child of a fork of the owner's. */
  abandon(): void {
    this.#isAbandoned = true
    this.#isOver = true
    this.#control.removeAllListeners()
    this.#control.destroy()
    this.#letGo()
    for (const tell of this.#abandoned) tell()
  }

  onAbandon(tell: () => void): () => void {
    this.#abandoned.add(tell)
    return () => this.#abandoned.delete(tell)
  }

  /** Until it has ended, or unref was called as often, the owner's event loop goes on. */
  ref(): void {
    if (++this.#refs === 1) this.#control.ref()
  }

  unref(): void {
    if (--this.#refs === 0) this.#control.unref()
  }

  /**
   * Sends a record with descriptors, now or as soon as there is room.
   *
   * @param sent is called once they are the server's, or there is no server any more; or with why they can't be sent
   */
  post(asked: Asked, fds: readonly number[], sent: (error?: unknown) => void = () => {}): void {
    const send = (): boolean => {
      try {
        if (!this.#isOver && !this.#tryToSend(asked, fds)) return false
        sent()
      } catch (error) {
        sent(error)
      }
      return true
    }
    this.#waiting.push(send)
    if (this.#waiting.length === 1) this.flush()
  }

  /**
   * Sends a record with descriptors, while nobody else waits for the server.
   *
   * @throws PosixError EAGAIN: there is no room
   */
  postNow(asked: Asked, fds: readonly number[]): void {
    if (this.#waiting.length > 0 || !this.#tryToSend(asked, fds))
      throw new PosixError(-constants.errno.EAGAIN, 'sendmsg')
  }

  /** False: there is no room. */
  #tryToSend(asked: Asked, fds: readonly number[]): boolean {
    try {
      sendFds(this.#channel, fds, toRecord(asked))
    } catch (error) {
      const code = error instanceof PosixError ? error.code : ''
      if (full.includes(code)) return false
      if (code !== 'EPIPE' && code !== 'ECONNRESET') throw error
      return true // its end comes by the control socket
    }
    this.#control.write('.')
    return true
  }

  /** Sends what waits for room: the server has answered somebody, or some time has gone by. */
  flush(): void {
    clearTimeout(this.#retry)
    while (this.#waiting[0]?.()) this.#waiting.shift()
    if (this.#waiting.length > 0) this.#retry = setTimeout(() => this.flush(), 10)
  }

  /** The pidfd that came for a request, FD_CLOEXEC; the caller's from now on. */
  takePidfd(id: number): number | undefined {
    while (!this.#pidfds.has(id)) {
      try {
        const { fds, data } = recvFds(this.#channel, recordSize)
        if (fds[0] === undefined) return undefined
        this.#pidfds.set(fromRecord(data).id, fds[0])
      } catch {
        return undefined // EMFILE: it is lost; EAGAIN: and so was this one
      }
    }
    const pidfd = this.#pidfds.get(id)
    this.#pidfds.delete(id)
    return pidfd
  }

  /** Why there is nobody to ask. */
  async whyOver(): Promise<ForkServerError> {
    return this.#isAbandoned ? abandonedError() : diedError(this.pid, await this.ended)
  }

  /** Whether it runs, by a look of our own: the event loop may not have come to tell. */
  isAlive(): boolean {
    const status = this.#isOver ? null : reapKept(this.pid)
    if (status === undefined) return true
    this.#isOver = true
    this.#words ??= endingOf(status)
    return false
  }

  /** The same without waiting for an event. The server is on its way out: its sockets are closed. */
  whyOverNow(): ForkServerError {
    this.#isOver = true
    this.#words ??= endingOf(waitForKept(this.pid))
    return diedError(this.pid, this.#words)
  }

  /** Why a connection was closed without an answer. */
  async whySilent(): Promise<Error> {
    const known = this.#lost.shift()
    if (known !== undefined) return known
    this.ref()
    const lost = new Promise<Error>((resolve) => this.#hearLost.push(resolve))
    const reason = await Promise.race([lost, this.ended.then((words) => diedError(this.pid, words))])
    this.unref()
    return reason
  }
}

function lostError(cause: Error): ForkServerError {
  return new ForkServerError('ERR_FORK_SERVER_WORKER', `the fork server couldn't take a request: ${cause.message}`, {
    cause,
  })
}

/** In the child of a fork of the owner's. */
export function abandonedError(): ForkServerError {
  return new ForkServerError('ERR_FORK_SERVER_CLOSED', "the fork server is the parent process's")
}

export function diedError(pid: number, words: string): ForkServerError {
  return new ForkServerError('ERR_FORK_SERVER_DIED', `fork server ${pid} ${words}`)
}

/** How a process ended, in words. */
export function endingOf(status: number | null): string {
  if (status === null) return 'ended'
  const ending = describeStatus(status)
  return ending.kind === 'exited'
    ? `ended with ${ending.code}`
    : `was ended by ${(ending as { signal: string }).signal}`
}

/** Whether a process has ended, by its pidfd. */
export function hasEnded(pidfd: number): boolean {
  return binding.pidfd_has_ended(pidfd) !== 0
}
