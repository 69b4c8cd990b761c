// The two ends of a pipe, for values: multiprocessing.Pipe and its Connection.
import { closeSync } from 'node:fs'
import { type Abortable, toAbortSignal } from '../abort'
import { binding } from '../binding'
import { checked, invalidState } from '../errors'
import { toBoolean, toData, toFds, toMilliseconds, toOptions } from '../validate'
import { EOFError, MessageChannel } from './message-channel'
import { type Message, messageHead } from './message-socket'
import { deserialized, serialized } from './serialize'
import { type Luggage, registerArrival, transfer } from './transfer'

export interface SendOptions extends Abortable {
  /** Descriptors (int32) to go with the value, at most 252; to be left open until the promise is settled. */
  fds?: readonly number[] | undefined
}

/** What came by one message. */
export interface ReceivedValue {
  value: unknown
  /** New descriptors of this process, all FD_CLOEXEC, to be closed by the caller. */
  fds: number[]
}

/**
 * One end of a {@link Pipe}. Messages are kept apart by the kernel: several processes may share an end, each message
 * comes to one of them whole, and one that is killed takes no other's with it.
 *
 * What waits keeps the event loop going. In a Process that inherits a connection nothing of its parent's waits.
 */
export class Connection {
  readonly #channel: MessageChannel
  /** Whether it can receive. */
  readonly readable: boolean
  /** Whether it can send. */
  readonly writable: boolean

  /** @internal */
  constructor(fd: number, readable: boolean, writable: boolean) {
    this.#channel = new MessageChannel(fd)
    this.readable = readable
    this.writable = writable
  }

  /** Whether close() has been called. */
  get closed(): boolean {
    return this.#channel.closed
  }

  /** Its descriptor. @throws ERR_INVALID_STATE: it is closed */
  fileno(): number {
    return this.#channel.fd
  }

  /**
   * Sends a value.
   *
   * @param value anything that structured clone takes; it is copied before this returns
   * @returns resolves once the kernel has it: after that this process may end
   * @throws PosixError EPIPE: nobody can receive it; ETOOMANYREFS, EBADF: as sendFds
   * @throws ERR_INVALID_ARG_VALUE: it can't be cloned; ERR_INVALID_STATE: closed, or for receiving alone
   * @throws AbortError: nothing was sent. All of them reject. Source: multiprocessing.connection, Connection.send.
   */
  async send(value: unknown, options?: SendOptions): Promise<void> {
    return this.#send(serialized(messageHead, value, 'value'), options)
  }

  /** As send, of bytes that nobody is to interpret. */
  async sendBytes(bytes: Uint8Array | string, options?: SendOptions): Promise<void> {
    return this.#send(withHead(bytes), options)
  }

  /**
   * Receives a value; descriptors that came with it are closed.
   *
   * @throws EOFError: every copy of the other end is closed, in all processes
   * @throws ERR_INVALID_STATE: closed, or for sending alone; AbortError: nothing was taken; PosixError EMFILE: no
   *   descriptor is free for what came, and the message is lost. All of them reject.
   */
  async recv(options?: Abortable): Promise<unknown> {
    return valueIn(await this.#receive(options))
  }

  /** Receives a value, and the descriptors that came with it; rejects as recv. */
  async recvWithFds(options?: Abortable): Promise<ReceivedValue> {
    const { bytes, fds } = await this.#receive(options)
    return { value: deserialized(bytes), fds }
  }

  /** Receives what sendBytes sent; rejects as recv. */
  async recvBytes(options?: Abortable): Promise<Buffer> {
    return bytesIn(await this.#receive(options))
  }

  /** Sends while this thread, and its event loop, stands still for as long as there is no room. Throws as send rejects. */
  sendSync(value: unknown, options?: Omit<SendOptions, 'signal'>): void {
    const bytes = serialized(messageHead, value, 'value')
    const { fds } = toSendOptions(options)
    this.#refuseUnless(this.writable, 'receives only')
    this.#channel.sendSync(bytes, fds)
  }

  /** Receives while this thread, and its event loop, stands still. Throws as recv rejects. */
  recvSync(): unknown {
    this.#refuseUnless(this.readable, 'sends only')
    return valueIn(this.#channel.receiveSync())
  }

  /**
   * Asks whether there is something to receive; the end of file is something.
   *
   * @param timeoutMs how long to wait for it, in milliseconds; Infinity: without end; default 0
   */
  async poll(timeoutMs = 0): Promise<boolean> {
    const limit = toMilliseconds(timeoutMs, 'timeoutMs')
    this.#refuseUnless(this.readable, 'sends only')
    return this.#channel.poll(limit)
  }

  /** Values, until the other end is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      let value: unknown
      try {
        value = await this.recv()
      } catch (error) {
        if (error instanceof EOFError) return
        throw error
      }
      yield value
    }
  }

  /** Closes this process's copy of this end, once. What waits here rejects with ERR_INVALID_STATE. */
  close(): void {
    this.#channel.close()
  }

  /** @internal */
  [transfer](luggage: Luggage): { kind: string; data: unknown } {
    return { kind: 'connection', data: [luggage.add(this.fileno()), this.readable, this.writable] }
  }

  #send(bytes: Uint8Array, options: unknown): Promise<void> | void {
    const { signal, fds } = toSendOptions(options)
    this.#refuseUnless(this.writable, 'receives only')
    return this.#channel.send(bytes, fds, signal)
  }

  #receive(options: unknown): Promise<Message> | Message {
    const signal = toAbortSignal(options, 'options')
    this.#refuseUnless(this.readable, 'sends only')
    return this.#channel.receive(signal)
  }

  #refuseUnless(can: boolean, why: string): void {
    if (!can) throw invalidState(`this connection ${why}`)
  }
}

registerArrival('connection', ([fd, readable, writable]: [number, boolean, boolean], unpack) => {
  return new Connection(unpack(fd), readable, writable)
})

/** Both ends. */
export type ConnectionPair = [one: Connection, other: Connection]

/**
 * Makes two connections, each to the other. A Process made by fork inherits both.
 *
 * @param duplex true (default): values go both ways; false: from the second to the first alone
 * @throws PosixError EMFILE, ENFILE: no descriptor free. Source: multiprocessing.Pipe; socketpair(2), SOCK_SEQPACKET.
 */
export function Pipe(duplex = true): ConnectionPair {
  const both = toBoolean(duplex, 'duplex')
  const [failure, one, other] = binding.messagePair()
  checked(failure, 'socketpair')
  return [new Connection(one, true, both), new Connection(other, both, true)]
}

function toSendOptions(options: unknown): { signal: AbortSignal | undefined; fds: number[] } {
  const { fds = [] } = toOptions(options, 'options')
  return { signal: toAbortSignal(options, 'options'), fds: toFds(fds, 'options.fds', mostFds) }
}

/** The kernel's 253, and one for the file of a long message. */
const mostFds = 252

function withHead(bytes: unknown): Buffer {
  const data = toData(bytes, 'bytes')
  return Buffer.concat([messageHead, typeof data === 'string' ? Buffer.from(data) : data])
}

function valueIn(message: Message): unknown {
  return deserialized(bytesIn(message))
}

function bytesIn({ bytes, fds }: Message): Buffer {
  for (const fd of fds) closeSync(fd)
  return bytes
}
