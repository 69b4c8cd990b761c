// multiprocessing.Condition
import { constants } from 'node:os'
import { throwIfAborted } from '../abort'
import { binding } from '../binding'
import { checked, invalidArgType, outOfRange, PosixError } from '../errors'
import { toFunction, toInt32 } from '../validate'
import { wordOfPlace } from './block-layout'
import { Lock } from './lock'
import { RLock } from './rlock'
import { Arrived, allocated, type PackedPart, SharedObject, whenArrived } from './shared-object'
import { type Luggage, transfer } from './transfer'
import { busyWith, type Patience, toPatience, toTimeout, type Waitable, waitAsync, waitSync } from './waiting'

const waiting = 1
const everyone = 2 ** 31 - 1

/**
 * Lets processes wait until others say that something has changed. All of it happens under its lock, which a wait lets go
 * and has again when it ends, whatever ends it.
 *
 * A notified process that has died is passed over, where Python would wait for it for ever.
 *
 * Platforms: all. Source: Python's multiprocessing.Condition, futex(2).
 */
export class Condition extends SharedObject {
  readonly #lock: Lock | RLock

  /**
   * @param lock its lock; default: an RLock of its own
   * @throws ERR_INVALID_ARG_TYPE
   * @throws PosixError ENOMEM: no memory to be shared
   */
  constructor(lock?: Lock | RLock)
  /** @internal */
  constructor(arrived: Arrived<PackedPart>)
  constructor(given: unknown = new RLock()) {
    const isLock = given instanceof Lock || given instanceof RLock
    if (!isLock && !(given instanceof Arrived)) throw invalidArgType('lock', 'an instance of Lock or RLock', given)
    super('Condition', isLock ? allocated(binding.makeCondition()) : given.block)
    this.#lock = isLock ? given : (given.part(given.data as PackedPart) as Lock | RLock)
  }

  /** Acquires its lock: see Lock.acquire. */
  acquire(patience?: Patience): Promise<boolean> {
    return this.#lock.acquire(patience)
  }

  acquireSync(timeoutMs?: number): boolean {
    return this.#lock.acquireSync(timeoutMs)
  }

  release(): void {
    this.#lock.release()
  }

  using<Result>(body: () => Result | PromiseLike<Result>, patience?: Patience): Promise<Result> {
    return this.#lock.using(body, patience)
  }

  /**
   * Lets the lock go, waits until it is notified, and acquires the lock again.
   *
   * @param patience milliseconds to wait at most, or `{ timeoutMs, signal }`; default: without end
   * @returns false: the time is over
   * @throws PosixError EPERM: this thread doesn't hold the lock. EAGAIN: 1020 wait already
   * @throws AbortError (ABORT_ERR) if the signal aborts; the lock is held then, too
   */
  async wait(patience?: Patience): Promise<boolean> {
    const { timeoutMs, signal } = toPatience(patience, 'patience')
    throwIfAborted(signal)
    const waiter = this.#beginWait()
    const depth = this.#lock.releaseWholly('wait')
    let isOver = false
    try {
      await waitAsync(waiter, { timeoutMs, signal })
      isOver = true
    } finally {
      await this.#lock.acquireAgain(depth)
      // What was meant for one that gives up is another's.
      if (waiter.end() && !isOver) this.notify()
    }
    return waiter.wasTold
  }

  /** As wait, and blocks this thread. */
  waitSync(timeoutMs?: number): boolean {
    const timeout = toTimeout(timeoutMs, 'timeoutMs')
    const waiter = this.#beginWait()
    const depth = this.#lock.releaseWholly('wait')
    waitSync(waiter, timeout)
    this.#lock.acquireAgainSync(depth)
    waiter.end()
    return waiter.wasTold
  }

  /**
   * Waits until something holds, which is looked at under the lock each time that it is notified.
   *
   * @param predicate looks at it
   * @param patience for all of it together; as wait's
   * @returns what `predicate` returned last: when the time is over that is false, or as good as
   * @throws what wait throws, and what `predicate` does
   */
  async waitFor<Result>(predicate: () => Result, patience?: Patience): Promise<Result> {
    toFunction(predicate, 'predicate')
    const { timeoutMs, signal } = toPatience(patience, 'patience')
    const deadline = performance.now() + timeoutMs
    let result = predicate()
    while (!result) {
      const left = deadline - performance.now()
      if (left <= 0) break
      await this.wait({ timeoutMs: left, signal })
      result = predicate()
    }
    return result
  }

  /** As waitFor, and blocks this thread. */
  waitForSync<Result>(predicate: () => Result, timeoutMs?: number): Result {
    toFunction(predicate, 'predicate')
    const deadline = performance.now() + toTimeout(timeoutMs, 'timeoutMs')
    let result = predicate()
    while (!result) {
      const left = deadline - performance.now()
      if (left <= 0) break
      this.waitSync(left)
      result = predicate()
    }
    return result
  }

  /**
   * Lets some of those that wait go on, the longest first, once they have the lock.
   *
   * @param count how many at most, at least 1
   * @throws PosixError EPERM: this thread doesn't hold the lock
   */
  notify(count = 1): void {
    if (toInt32(count, 'count') < 1) throw outOfRange('count', '>= 1', count)
    this.#mustOwn('notify')
    binding.notify(SharedObject.blockOf(this), count)
  }

  /** Lets all that wait go on, one after the other. Throws as notify does. */
  notifyAll(): void {
    this.notify(everyone)
  }

  protected override packData(luggage: Luggage): unknown {
    return this.#lock[transfer](luggage)
  }

  #mustOwn(syscall: string): void {
    if (!this.#lock.isOwn()) throw new PosixError(-constants.errno.EPERM, syscall)
  }

  #beginWait(): Waiter {
    this.#mustOwn('wait')
    const block = SharedObject.blockOf(this)
    return new Waiter(block, checked(binding.beginWait(block), 'wait'))
  }
}

class Waiter implements Waitable {
  readonly block: Waitable['block']
  readonly looks = false
  #place: number
  wasTold = false

  constructor(block: Waitable['block'], place: number) {
    this.block = block
    this.#place = place
  }

  get offset(): number {
    return wordOfPlace(this.#place)
  }

  attempt(): number {
    const place = binding.lookAtWait(this.block, this.#place)
    if (place < 0) return 0
    this.#place = place
    return busyWith(waiting)
  }

  /** Under the lock again: leaves its place. Whether it was told. */
  end(): boolean {
    this.wasTold = binding.endWait(this.block, this.#place)
    return this.wasTold
  }
}

whenArrived<PackedPart>('Condition', (arrived) => new Condition(arrived))
