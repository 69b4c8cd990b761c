// Values from many processes to many, each to one: multiprocessing.Queue, SimpleQueue and JoinableQueue.
import { type Abortable, throwIfAborted, toAbortSignal } from '../abort'
import { invalidState } from '../errors'
import { toInt32, toMilliseconds, toOptions } from '../validate'
import type { Limits } from './pending'
import { deserialized, serialized } from './serialize'
import { type PackedLog, SharedLog } from './shared-log'
import { uncloneable } from './shared-object'
import { type Luggage, registerArrival, transfer } from './transfer'

/** A queue was empty for as long as the caller would wait: Python's queue.Empty. */
export class QueueEmptyError extends Error {
  override readonly name = 'QueueEmptyError'
  readonly code = 'ERR_QUEUE_EMPTY'

  constructor() {
    super('the queue is empty')
  }
}

/** A queue was full for as long as the caller would wait: Python's queue.Full. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
  readonly code = 'ERR_QUEUE_FULL'

  constructor() {
    super('the queue is full')
  }
}

export interface QueueWait extends Abortable {
  /** Milliseconds to wait at most, 0 or more; default: without end. */
  timeoutMs?: number | undefined
}

const noHead = new Uint8Array(0)

/** A queue on its way. */
interface PackedQueue {
  kind: string
  data: PackedLog
}

/**
 * A queue that every process may put into and get from: children of fork inherit it, and others get it as an argument of a
 * Process. What put() has accepted is there, even if its producer is killed
 * at once; a consumer that is killed takes no more with it than the item that it had got.
 *
 * What waits keeps the event loop going. In a Process that inherits a queue nothing of its parent's waits.
 */
export class Queue {
  /** How many items it holds at most; 0: as many as there is memory for. */
  readonly maxsize: number
  readonly #log: SharedLog
  readonly #getters
  readonly #putters
  readonly #joiners
  #closed = false

  /**
   * @param maxsize how many items it holds at most (int32); 0 or less: as many as there is memory for
   * @throws PosixError EMFILE, ENFILE: no descriptors free. Source: multiprocessing.Queue.
   */
  constructor(maxsize?: number)
  /** @internal */
  constructor(arrived: SharedLog)
  constructor(given: unknown = 0) {
    this.#log = given instanceof SharedLog ? given : logOf(given, this instanceof JoinableQueue)
    this.maxsize = this.#log.limit
    this.#getters = this.#log.waitForMessages()
    this.#putters = this.#log.waitForRoom()
    this.#joiners = this.#log.waitForEnd()
  }

  /**
   * Puts an item in, once there is room.
   *
   * @param item anything that structured clone takes; it is copied before this returns
   * @throws QueueFullError: no room in time; AbortError: it wasn't put in; PosixError ENOSPC, ENOMEM: no memory
   * @throws ERR_INVALID_ARG_VALUE: it can't be cloned; ERR_INVALID_STATE: closed. All of them reject.
   */
  async put(item: unknown, options?: QueueWait): Promise<void> {
    const limits = toLimits(options)
    const bytes = serialized(noHead, item, 'item')
    this.#refuseClosed()
    throwIfAborted(limits.signal)
    const attempt = () => (this.#log.put(bytes) ? done : undefined)
    await this.#putters.until(attempt, limits, () => {
      throw new QueueFullError()
    })
  }

  /** Puts an item in at once. @throws QueueFullError: no room; what else makes put reject */
  putNowait(item: unknown): void {
    const bytes = serialized(noHead, item, 'item')
    this.#refuseClosed()
    if (!this.#log.put(bytes)) throw new QueueFullError()
  }

  /**
   * Takes the oldest item, once there is one.
   *
   * @throws QueueEmptyError: none in time; AbortError: none was taken; ERR_INVALID_STATE: closed. All of them reject.
   */
  async get(options?: QueueWait): Promise<unknown> {
    const limits = toLimits(options)
    this.#refuseClosed()
    throwIfAborted(limits.signal)
    const bytes = await this.#getters.until(
      () => this.#log.take(),
      limits,
      () => {
        throw new QueueEmptyError()
      },
    )
    return deserialized(bytes)
  }

  /** Takes the oldest item at once. @throws QueueEmptyError: there is none; ERR_INVALID_STATE: closed */
  getNowait(): unknown {
    this.#refuseClosed()
    const bytes = this.#log.take()
    if (bytes === undefined) throw new QueueEmptyError()
    return deserialized(bytes)
  }

  /** How many items there were a moment ago: other processes go on. */
  qsize(): number {
    this.#refuseClosed()
    return this.#log.count
  }

  /** Whether there was no item a moment ago. */
  empty(): boolean {
    return this.qsize() === 0
  }

  /** Whether there was no room a moment ago. */
  full(): boolean {
    return this.maxsize > 0 && this.qsize() >= this.maxsize
  }

  /** Gives up this process's part in it, once; what waits here rejects with ERR_INVALID_STATE. Its items stay. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    const reason = invalidState('the queue was closed meanwhile')
    for (const waiting of [this.#getters, this.#putters, this.#joiners]) waiting.close(reason)
    this.#log.close()
  }

  /** @internal */
  [transfer](luggage: Luggage): PackedQueue {
    const kind = this instanceof JoinableQueue ? 'JoinableQueue' : 'Queue'
    // A message may be read by nobody, or by a process that has nothing to do with this one.
    if (luggage.method === undefined) throw uncloneable(kind)
    this.#refuseClosed()
    return { kind, data: this.#log.pack(luggage) }
  }

  /** @internal */
  protected finish(): void {
    this.#refuseClosed()
    if (!this.#log.finish()) throw invalidState('taskDone() was called more often than there were items')
  }

  /** @internal */
  protected async finished(options: unknown): Promise<void> {
    const signal = toAbortSignal(options, 'options')
    this.#refuseClosed()
    throwIfAborted(signal)
    const attempt = () => (this.#log.unfinished === 0 ? done : undefined)
    await this.#joiners.until(attempt, { signal }, () => done)
  }

  #refuseClosed(): void {
    if (this.#closed) throw invalidState('the queue is closed')
  }
}

/** A queue that knows when all that was put into it has been done: multiprocessing.JoinableQueue. */
export class JoinableQueue extends Queue {
  /** Says that an item which was got has been done. @throws ERR_INVALID_STATE: there were fewer items */
  taskDone(): void {
    this.finish()
  }

  /** Waits until taskDone() has been called for every item. Rejects with AbortError; ERR_INVALID_STATE: closed. */
  async join(options?: Abortable): Promise<void> {
    await this.finished(options)
  }
}

/** A queue without limits: multiprocessing.SimpleQueue. */
export class SimpleQueue {
  readonly #queue: Queue

  /** @throws PosixError EMFILE, ENFILE: no descriptors free */
  constructor()
  /** @internal */
  constructor(arrived: SharedLog)
  constructor(arrived?: SharedLog) {
    this.#queue = arrived instanceof SharedLog ? new Queue(arrived) : new Queue()
  }

  /** As Queue's. */
  async put(item: unknown): Promise<void> {
    await this.#queue.put(item)
  }

  /** As Queue's, without a time limit. */
  async get(): Promise<unknown> {
    return this.#queue.get()
  }

  /** Whether there was no item a moment ago. */
  empty(): boolean {
    return this.#queue.empty()
  }

  /** As Queue's. */
  close(): void {
    this.#queue.close()
  }

  /** @internal */
  [transfer](luggage: Luggage): PackedQueue {
    return { ...this.#queue[transfer](luggage), kind: 'SimpleQueue' }
  }
}

for (const Class of [Queue, JoinableQueue, SimpleQueue]) {
  registerArrival(Class.name, (packed: PackedLog, unpack) => new Class(SharedLog.arrived(packed, unpack)))
}

/** What a promise without a value resolves to within. */
const done = {}

function logOf(maxsize: unknown, isJoinable: boolean): SharedLog {
  return SharedLog.make({ limit: Math.max(0, toInt32(maxsize, 'maxsize')), isJoinable })
}

function toLimits(options: unknown): Limits {
  const { timeoutMs } = toOptions(options, 'options')
  return {
    signal: toAbortSignal(options, 'options'),
    timeoutMs: timeoutMs === undefined ? undefined : toMilliseconds(timeoutMs, 'options.timeoutMs'),
  }
}
