// One end of a message socket, and those who wait by it for messages or for room.
import { closeSync } from 'node:fs'
import { throwIfAborted } from '../abort'
import { binding } from '../binding'
import { checked, invalidState } from '../errors'
import { type Message, OutgoingMessage, receiveMessage, roomPause } from './message-socket'
import { Pending } from './pending'
import { READABLE, Readiness, WRITABLE } from './readiness'

/** There is nothing more to receive: every copy of the other end is closed. */
export class EOFError extends Error {
  override readonly name = 'EOFError'
  readonly code = 'EOF'

  constructor() {
    super('end of file: the other end of the connection is closed')
  }
}

interface Sending {
  message: OutgoingMessage
  pending: Pending<void>
}

type Receiving = { pending: Pending<Message>; wants: 'message' } | { pending: Pending<boolean>; wants: 'news' }

export class MessageChannel {
  readonly #fd: number
  readonly #readiness: Readiness
  #receivings: Receiving[] = []
  #sendings: Sending[] = []
  #roomTimer: NodeJS.Timeout | undefined
  #closed = false

  /** @param fd an end of binding.messagePair's, to be this one's from now on */
  constructor(fd: number) {
    this.#fd = fd
    this.#readiness = new Readiness(
      fd,
      () => this.#goOn(),
      () => this.#forgetWaiting(),
    )
  }

  get closed(): boolean {
    return this.#closed
  }

  get fd(): number {
    this.#refuseClosed()
    return this.#fd
  }

  /** Sends bytes that begin with messageHead; resolves once the kernel has them. */
  send(bytes: Uint8Array, fds: readonly number[] = [], signal?: AbortSignal): Promise<void> | void {
    this.#refuseClosed()
    throwIfAborted(signal)
    const message = new OutgoingMessage(bytes, fds)
    let waits = false
    try {
      waits = this.#sendings.length > 0 || !message.sendBy(this.#fd)
    } finally {
      if (!waits) message.release()
    }
    if (!waits) return
    const pending = new Pending<void>(
      { signal },
      () => {},
      () => this.#giveUp(pending),
    )
    this.#sendings.push({ message, pending })
    return this.#waitFor(pending)
  }

  sendSync(bytes: Uint8Array, fds: readonly number[]): void {
    this.#refuseClosed()
    if (this.#sendings.length > 0) throw invalidState('other values wait to be sent first')
    const message = new OutgoingMessage(bytes, fds)
    try {
      while (!message.sendBy(this.#fd)) checked(binding.pollReady(this.#fd, WRITABLE, roomPause ?? -1), 'poll')
    } finally {
      message.release()
    }
  }

  /**
   * The next message.
   *
   * @param givesWay lets the event loop go round before, so that others have their turn
   * @throws EOFError
   */
  receive(signal?: AbortSignal, givesWay = false): Promise<Message> | Message {
    this.#refuseClosed()
    throwIfAborted(signal)
    const message = givesWay || this.#receivings.length > 0 ? undefined : receiveMessage(this.#fd)
    if (message !== undefined) return orEnd(message)
    const pending = new Pending<Message>({ signal }, neverInTime, () => this.#giveUp(pending))
    this.#receivings.push({ pending, wants: 'message' })
    return this.#waitFor(pending)
  }

  receiveSync(): Message {
    this.#refuseClosed()
    if (this.#receivings.length > 0) throw invalidState('others wait to receive first')
    for (;;) {
      const message = receiveMessage(this.#fd)
      if (message !== undefined) return orEnd(message)
      checked(binding.pollReady(this.#fd, READABLE, -1), 'poll')
    }
  }

  /** Whether there is something to receive, or comes within so many milliseconds; the end of file is something. */
  poll(timeoutMs: number): Promise<boolean> | boolean {
    this.#refuseClosed()
    if (this.#hasNews()) return true
    if (timeoutMs === 0) return false
    const pending = new Pending<boolean>(
      { timeoutMs },
      () => false,
      () => this.#giveUp(pending),
    )
    this.#receivings.push({ pending, wants: 'news' })
    return this.#waitFor(pending)
  }

  /** Closes it, once; what waits rejects. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    const waiting = [...this.#receivings, ...this.#sendings]
    for (const { message } of this.#sendings) message.release()
    this.#forgetWaiting()
    this.#readiness.close()
    closeSync(this.#fd)
    for (const { pending } of waiting) pending.reject(invalidState('the connection was closed meanwhile'))
  }

  #waitFor<Result>(pending: Pending<Result>): Promise<Result> {
    try {
      this.#watch()
    } catch (error) {
      this.#giveUp(pending)
      pending.reject(error)
    }
    return pending.promise
  }

  #goOn(): void {
    while (this.#receivings.length > 0 && this.#serve(this.#receivings[0] as Receiving)) this.#receivings.shift()
    while (this.#sendings.length > 0 && trySend(this.#sendings[0] as Sending, this.#fd)) this.#sendings.shift()
    this.#watch()
  }

  /** False: there is nothing for it yet. */
  #serve({ pending, wants }: Receiving): boolean {
    if (wants === 'news') {
      if (!this.#hasNews()) return false
      pending.resolve(true)
      return true
    }
    try {
      const message = receiveMessage(this.#fd)
      if (message === undefined) return false
      pending.resolve(orEnd(message))
    } catch (error) {
      pending.reject(error)
    }
    return true
  }

  #hasNews(): boolean {
    return checked(binding.pollReady(this.#fd, READABLE, 0), 'poll') !== 0
  }

  #giveUp(pending: unknown): void {
    this.#receivings = this.#receivings.filter((each) => each.pending !== pending)
    for (const each of this.#sendings) if (each.pending === pending) each.message.release()
    this.#sendings = this.#sendings.filter((each) => each.pending !== pending)
    this.#watch()
  }

  #watch(): void {
    if (this.#closed) return
    const waitsForRoom = this.#sendings.length > 0
    const watchesRoom = waitsForRoom && roomPause === undefined
    this.#readiness.want((this.#receivings.length > 0 ? READABLE : 0) | (watchesRoom ? WRITABLE : 0))
    clearTimeout(this.#roomTimer)
    if (waitsForRoom && !watchesRoom) this.#roomTimer = setTimeout(() => this.#goOn(), roomPause)
  }

  #forgetWaiting(): void {
    this.#receivings = []
    this.#sendings = []
    clearTimeout(this.#roomTimer)
  }

  #refuseClosed(): void {
    if (this.#closed) throw invalidState('the connection is closed')
  }
}

function trySend({ message, pending }: Sending, fd: number): boolean {
  try {
    if (!message.sendBy(fd)) return false
    pending.resolve()
  } catch (error) {
    pending.reject(error)
  }
  message.release()
  return true
}

function orEnd(message: Message | null): Message {
  if (message === null) throw new EOFError()
  return message
}

function neverInTime(): never {
  throw invalidState('there is no time limit')
}
