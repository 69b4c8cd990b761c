// A worker that the fork server has forked before anybody asks for it, so that a request needn't wait for a fork.
// Android's zygote keeps such processes, too.
import { closeSync } from 'node:fs'
import { PosixError } from '../errors'
import { recvFds, sendFds } from '../sockets'
import { type Asked, fromRecord, recordSize, toRecord } from './fork-server-protocol'

/** What a worker is to do comes by a connection, with the descriptors that its request speaks of. */
export interface Assignment {
  connection: number
  fds: readonly number[]
  isDaemon: boolean
}

/** Of a request that the server has received. */
export function toAssignment({ value }: Asked, [connection = -1, ...fds]: readonly number[]): Assignment {
  return { connection, fds, isDaemon: value !== 0 }
}

/** The server's side of it. */
export class Spare {
  readonly pid: number
  readonly #channel: number

  /** @param channel a blocking socket, FD_CLOEXEC, whose other end the spare alone has */
  constructor(pid: number, channel: number) {
    this.pid = pid
    this.#channel = channel
  }

  /**
   * Hands it a request; it is a spare no more.
   *
   * @param fds stay open here
   * @returns false: it has ended meanwhile, or can't be sent so many descriptors now; then it ends
   */
  hand(asked: Asked, fds: readonly number[]): boolean {
    try {
      sendFds(this.#channel, fds, toRecord(asked))
      return true
    } catch {
      return false
    } finally {
      this.close()
    }
  }

  /** It ends, unless it was handed a request. */
  close(): void {
    closeSync(this.#channel)
  }
}

/**
 * In the spare: blocks until there is a request. The server's end, however it comes, is the end of this wait.
 *
 * @returns undefined: there will be none
 * @throws PosixError EMFILE: there was one, and it is lost
 */
export function awaitAssignment(channel: number): Assignment | undefined {
  try {
    const { fds, data } = recvFds(channel, recordSize)
    return data.length === 0 ? undefined : toAssignment(fromRecord(data), fds)
  } catch (error) {
    if (error instanceof PosixError && error.code === 'ECONNRESET') return undefined
    throw error // EMFILE: what came with the request is lost, and its connection with it
  } finally {
    closeSync(channel)
  }
}
