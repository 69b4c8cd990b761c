// Whole messages from process to process, with descriptors. The kernel keeps them apart, so an end that several
// processes share gives each message to one of them, and a process that is killed leaves no half of one.
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { binding } from '../binding'
import { checked, PosixError } from '../errors'

const constants = osConstants.errno
const [messageLimit, pollTellsRoom] = binding.messageLimits()

/** Milliseconds after which to try again, where the event loop can't tell of room; undefined: it can. */
export const roomPause: number | undefined = pollTellsRoom === 1 ? undefined : 1

/** The first byte of each message: whether the rest follows, or is a file that comes as the first descriptor. */
const INLINE = 0
const IN_FILE = 1

/** What a message begins with; its sender's bytes follow. */
export const messageHead: Uint8Array = Uint8Array.of(INLINE)

/** What Linux and macOS call it when nobody has the other end any more. */
const gone = [-constants.ECONNRESET, -constants.ECONNREFUSED, -constants.ENOTCONN]

export interface Message {
  bytes: Buffer
  /** New descriptors of this process, FD_CLOEXEC. */
  fds: number[]
}

/** A message that is to be sent, once or more often, until it is released. */
export class OutgoingMessage {
  readonly #bytes: Uint8Array
  readonly #fds: readonly number[]
  readonly #file: number | undefined

  /**
   * @param bytes messageHead, and what follows it. What is too much for a socket goes into a file at once.
   * @param fds to be open until it is sent
   */
  constructor(bytes: Uint8Array, fds: readonly number[] = []) {
    if (bytes.length <= messageLimit) {
      this.#bytes = bytes
      this.#fds = fds
      return
    }
    this.#file = checked(binding.anonymousFile(), 'memfd_create')
    this.#bytes = Uint8Array.of(IN_FILE)
    this.#fds = [this.#file, ...fds]
    try {
      for (let done = messageHead.length; done < bytes.length; ) {
        done += writeSync(this.#file, bytes, done, Math.min(bytes.length - done, 2 ** 30))
      }
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** How much of the socket's room it takes. */
  get size(): number {
    return this.#bytes.length
  }

  /** False: the socket has no room now. */
  sendBy(socket: number): boolean {
    const sent = binding.sendDescriptors(socket, this.#fds, this.#bytes)
    if (sent >= 0) return true
    if (sent === -constants.EAGAIN || sent === -constants.ENOBUFS) return false
    throw new PosixError(gone.includes(sent) ? -constants.EPIPE : sent, 'sendmsg')
  }

  /** Every message that isn't garbage by itself: it may have a file. */
  release(): void {
    if (this.#file !== undefined) closeSync(this.#file)
  }
}

const scratch = Buffer.allocUnsafeSlow(messageLimit)

/** The next message; null: the other end is closed, undefined: nothing yet. */
export function receiveMessage(socket: number): Message | null | undefined {
  const [size, ...fds] = receive(socket)
  if (size < 0) {
    if (size === -constants.EAGAIN) return undefined
    if (size === -constants.ECONNRESET || size === -constants.ENOTCONN) return null
    throw new PosixError(size, 'recvmsg')
  }
  if (size === 0) return null
  if (scratch[0] === INLINE) return { bytes: Buffer.from(scratch.subarray(messageHead.length, size)), fds }
  const [file, ...others] = fds as [number, ...number[]]
  try {
    return { bytes: contentOf(file), fds: others }
  } finally {
    closeSync(file)
  }
}

function receive(socket: number): [size: number, ...fds: number[]] {
  const result = binding.receiveDescriptors(socket, scratch)
  // Linux tells once that the other end was closed with something unread; what came before can still be read.
  return result[0] === -constants.ECONNRESET ? binding.receiveDescriptors(socket, scratch) : result
}

function contentOf(file: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(fstatSync(file).size)
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30), done)
    if (count === 0) throw new PosixError(-constants.EIO, 'read')
    done += count
  }
  return bytes
}
