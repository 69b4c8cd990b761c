// The store of a Queue: messages in a file without a name, and pipes that event loops wait by. All of it descriptors,
// which a child inherits, or is given.
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { binding } from '../binding'
import { O_CLOEXEC, O_NONBLOCK } from '../constants'
import { checked } from '../errors'
import { type Limits, Pending } from './pending'
import { READABLE, Readiness } from './readiness'
import type { Luggage, Unpack } from './transfer'

const noPipe: readonly [number, number] = [-1, -1]

export interface LogPlan {
  /** How many messages at most; 0: as many as there is space for. */
  limit: number
  /** Whether somebody will wait until all of them are finished. */
  isJoinable: boolean
}

/** A log on its way: what stands for each of its descriptors, or -1 where it has none. */
export interface PackedLog {
  limit: number
  parts: readonly number[]
}

export class SharedLog {
  readonly limit: number
  readonly #log: readonly number[]

  private constructor(limit: number, log: readonly number[]) {
    this.limit = limit
    this.#log = log
  }

  /** @throws PosixError EMFILE, ENFILE: no descriptors free */
  static make({ limit, isJoinable }: LogPlan): SharedLog {
    const fds: number[] = []
    try {
      fds.push(checked(binding.anonymousFile(), 'memfd_create'))
      for (const isWanted of [true, limit > 0, isJoinable]) fds.push(...(isWanted ? openPipe() : noPipe))
      checked(binding.beginLog(fds, limit), 'write')
    } catch (error) {
      closeAll(fds)
      throw error
    }
    return new SharedLog(limit, fds)
  }

  /** The log that another process has packed. */
  static arrived({ limit, parts }: PackedLog, unpack: Unpack): SharedLog {
    return new SharedLog(
      limit,
      parts.map((part) => (part < 0 ? part : unpack(part))),
    )
  }

  pack(luggage: Luggage): PackedLog {
    return { limit: this.limit, parts: this.#log.map((fd) => (fd < 0 ? fd : luggage.add(fd))) }
  }

  /** False: it is full. @throws PosixError ENOSPC, ENOMEM: no space */
  put(bytes: Uint8Array): boolean {
    return unlessAgain(binding.putMessage(this.#log, bytes), 'write') !== undefined
  }

  /** The oldest message; undefined: there is none. */
  take(): Buffer | undefined {
    const message = binding.takeMessage(this.#log)
    if (typeof message !== 'number') return message
    unlessAgain(message, 'read')
    return undefined
  }

  /** False: nothing was left to be finished. */
  finish(): boolean {
    const failure = binding.finishMessage(this.#log)
    if (failure === -constants.errno.EINVAL) return false
    checked(failure, 'write')
    return true
  }

  get count(): number {
    return checked(binding.countMessages(this.#log), 'read')
  }

  get unfinished(): number {
    return checked(binding.countUnfinished(this.#log), 'read')
  }

  waitForMessages(): Waiting {
    return new Waiting(this.#log[1] as number)
  }

  waitForRoom(): Waiting {
    return new Waiting(this.#log[3] as number)
  }

  waitForEnd(): Waiting {
    return new Waiting(this.#log[5] as number)
  }

  close(): void {
    closeAll(this.#log)
  }
}

function openPipe(): [number, number] {
  const [failure, readEnd, writeEnd] = binding.pipe2(O_CLOEXEC | O_NONBLOCK)
  checked(failure, 'pipe2')
  return [readEnd, writeEnd]
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) if (fd >= 0) closeSync(fd)
}

function unlessAgain(result: number, syscall: string): number | undefined {
  return result === -constants.errno.EAGAIN ? undefined : checked(result, syscall)
}

interface Waiter {
  /** False: not yet. It may throw. */
  attempt(): boolean
  reject(error: unknown): void
}

/** Those who wait for one of a log's pipes in this process, the first to come first. */
export class Waiting {
  readonly #readiness: Readiness
  #waiters: Waiter[] = []

  constructor(readEnd: number) {
    this.#readiness = new Readiness(
      readEnd,
      () => this.#goOn(),
      () => {
        this.#waiters = []
      },
    )
  }

  /**
   * Waits for a result.
   *
   * @param attempt undefined: not yet
   * @param onTimeout gives the result, or throws
   */
  until<Result extends object>(
    attempt: () => Result | undefined,
    limits: Limits,
    onTimeout: () => Result,
  ): Promise<Result> | Result {
    const result = this.#waiters.length > 0 ? undefined : attempt()
    if (result !== undefined) return result
    if (limits.timeoutMs === 0) return onTimeout()
    const waiter: Waiter = {
      attempt: () => {
        const found = attempt()
        if (found !== undefined) pending.resolve(found)
        return found !== undefined
      },
      reject: (error) => pending.reject(error),
    }
    const pending = new Pending<Result>(limits, onTimeout, () => this.#giveUp(waiter))
    this.#waiters.push(waiter)
    this.#watch()
    return pending.promise
  }

  close(reason: Error): void {
    const waiters = this.#waiters
    this.#waiters = []
    this.#readiness.close()
    for (const waiter of waiters) waiter.reject(reason)
  }

  #goOn(): void {
    for (;;) {
      const [waiter] = this.#waiters
      if (waiter === undefined || !settled(waiter)) break
      this.#waiters.shift()
    }
    this.#watch()
  }

  #giveUp(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((each) => each !== waiter)
    this.#watch()
  }

  #watch(): void {
    this.#readiness.want(this.#waiters.length > 0 ? READABLE : 0)
  }
}

function settled(waiter: Waiter): boolean {
  try {
    return waiter.attempt()
  } catch (error) {
    waiter.reject(error)
    return true
  }
}
