// What an owner, its fork server and the workers tell each other.
//
// The owner and the server have two UNIX sockets. Over the channel the owner sends records, each with the descriptors
// that it is about, and the server sends pidfds back. No event loop of Node's can wait for descriptors, so each record is
// announced by a byte over the control socket, whose end of file also tells either of the other's end.
// Each request has a connection of its own: it carries the request one way, and the worker's life the other way.
import { readSync, writeSync } from 'node:fs'
import { deserialize, serialize } from 'node:v8'
import type { ErrorDescription } from './remote-error'

/** Where the fork server finds its ends. */
export const channelFd = 3
export const controlFd = 4

/** What the owner may ask for. */
export const ask = {
  /** `id`: the request's; `value`: 1 for a daemon, else 0. With its connection, and the descriptors for the worker. */
  fork: 1,
  /** `id`: the worker's request; `value`: a signal. */
  kill: 2,
  /** No more requests; `value`: milliseconds between SIGTERM and SIGKILL for the workers. */
  close: 3,
} as const

export interface Asked {
  kind: number
  id: number
  value: number
}

export const recordSize = 12

export function toRecord({ kind, id, value }: Asked): Buffer {
  return Buffer.from(Int32Array.of(kind, id, value).buffer)
}

export function fromRecord(bytes: Buffer): Asked {
  return { kind: bytes.readInt32LE(0), id: bytes.readInt32LE(4), value: bytes.readInt32LE(8) }
}

/** What a worker's stdin, stdout or stderr is: the server's own, /dev/null, or one of the descriptors that came along. */
export type StdioSource = 'inherit' | 'ignore' | number

/** A request, by its connection: the worker reads it. */
export interface WorkerRequest {
  module: string
  export: string
  /** The owner's: where `module` is looked for. */
  directory: string
  /** Packed, as the worker alone is to make objects of them. */
  args: Uint8Array
  env: Record<string, string>
  cwd: string
  stdio: readonly StdioSource[]
  /**
   * How many of the descriptors that came along are for 0-2, and how many are the function's (undefined: it is given no
   * list). The others are its arguments' own.
   */
  fdCounts: { stdio: number; target: number | undefined }
}

/** A worker as it is asked for: the request, what goes with it, and what the server itself must know. */
export interface Order {
  request: WorkerRequest
  fds: readonly number[]
  daemon: boolean
}

/** What comes back. 'loaded' is the worker's own word, so it may come before 'forked', which is the server's. */
export type Answer =
  /** The server has the request: from now on a process may come of it. */
  | { type: 'taken' }
  | { type: 'forked'; pid: number; hasPidfd: boolean }
  | { type: 'loaded' }
  | { type: 'failed'; of: 'preload' | 'worker'; error: ErrorDescription }
  /** null: somebody else has waited for it. */
  | { type: 'ended'; status: number | null }

/** What the server says over the control socket: first whether the modules are there; later that a request got lost. */
export type News =
  | { type: 'ready' }
  | { type: 'failed'; error: ErrorDescription }
  | { type: 'lost'; error: ErrorDescription }

/** A value with its length before it. */
export function toFrame(value: unknown): Buffer {
  const body = serialize(value)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(body.length)
  return Buffer.concat([size, body])
}

/** Puts frames together from the pieces in which they arrive. */
export class FrameReader<Value> {
  #pieces: Buffer = Buffer.alloc(0)

  push(piece: Buffer): Value[] {
    this.#pieces = this.#pieces.length === 0 ? piece : Buffer.concat([this.#pieces, piece])
    const values: Value[] = []
    for (;;) {
      if (this.#pieces.length < 4) return values
      const end = 4 + this.#pieces.readUInt32LE(0)
      if (this.#pieces.length < end) return values
      values.push(deserialize(this.#pieces.subarray(4, end)) as Value)
      this.#pieces = this.#pieces.subarray(end)
    }
  }
}

/** Waits for a frame; undefined at the end of file. */
export function readFrame(fd: number): unknown {
  const size = readExactly(fd, 4)
  const body = size && readExactly(fd, size.readUInt32LE(0))
  return body && deserialize(body)
}

function readExactly(fd: number, size: number): Buffer | undefined {
  const bytes = Buffer.alloc(size)
  for (let offset = 0; offset < size; ) {
    const count = readSync(fd, bytes, offset, size - offset, null)
    if (count === 0) return undefined
    offset += count
  }
  return bytes
}

/** Writes a frame, until all of it is written. Nobody may be left to read it. */
export function writeFrame(fd: number, value: unknown): void {
  const frame = toFrame(value)
  try {
    for (let offset = 0; offset < frame.length; ) offset += writeSync(fd, frame, offset)
  } catch (error) {
    if (!['EPIPE', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
