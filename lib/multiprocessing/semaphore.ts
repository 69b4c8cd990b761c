// multiprocessing.Semaphore and BoundedSemaphore
import { binding, type SharedBlock } from '../binding'
import { outOfRange, PosixError } from '../errors'
import { toInt32 } from '../validate'
import { wordOffset } from './block-layout'
import { Arrived, allocated, SharedObject, whenArrived } from './shared-object'
import { type Patience, toPatience, toTimeout, type Waitable, waitAsync, waitSync } from './waiting'
import { withAcquired } from './with-acquired'

const mostPermits = 2 ** 30 - 1

/**
 * A counter of permits in shared memory: acquire waits until there is one and takes it, release gives one back.
 *
 * As in Python and POSIX nobody owns a permit, so any process may release. That of a process which dies is lost: where
 * it must come back, use a {@link Lock}.
 *
 * Platforms: all. Source: sem_overview(7), futex(2).
 */
export class Semaphore extends SharedObject {
  readonly #waitable: Waitable

  /**
   * @param value how many permits there are at first (0 to 2 ** 30 - 1). Default: 1
   * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
   * @throws PosixError ENOMEM: no memory to be shared
   */
  constructor(value?: number)
  /** @internal */
  constructor(arrived: Arrived, kind?: string)
  constructor(given: unknown = 1, kind = 'Semaphore') {
    super(kind, given instanceof Arrived ? given.block : semaphoreOf(given, kind))
    const block = SharedObject.blockOf(this)
    this.#waitable = {
      block,
      offset: wordOffset,
      // Whoever was woken may have been killed, and the addon looks at the word itself then.
      looks: true,
      attempt: (patience) => binding.takeSemaphore(block, patience),
      giveUp: () => binding.passSemaphoreOn(block),
    }
  }

  /**
   * Takes a permit, without blocking the event loop.
   *
   * @param patience milliseconds to wait at most, or `{ timeoutMs, signal }`; default: without end. 0: not at all
   * @returns false: the time is over, and nothing was taken
   * @throws AbortError (ABORT_ERR) if the signal aborts
   */
  async acquire(patience?: Patience): Promise<boolean> {
    return (await waitAsync(this.#waitable, toPatience(patience, 'patience'))) !== undefined
  }

  /** Takes a permit, and blocks this thread until then; `timeoutMs` as acquire's. */
  acquireSync(timeoutMs?: number): boolean {
    return waitSync(this.#waitable, toTimeout(timeoutMs, 'timeoutMs')) !== undefined
  }

  /**
   * Gives permits back.
   *
   * @param count how many, at least 1
   * @throws PosixError EOVERFLOW: there would be more than a BoundedSemaphore had at first, or than 2 ** 30 - 1; none
   *   is given back then
   */
  release(count = 1): void {
    if (toInt32(count, 'count') < 1) throw outOfRange('count', '>= 1', count)
    const failure = binding.releaseSemaphore(this.#waitable.block, count)
    if (failure !== 0) throw new PosixError(failure, 'release')
  }

  /** How many permits there are at this moment. */
  getValue(): number {
    return binding.semaphoreValue(this.#waitable.block)
  }

  /** Calls a function that has a permit; as Lock's. */
  using<Result>(body: () => Result | PromiseLike<Result>, patience?: Patience): Promise<Result> {
    return withAcquired(this, body, patience)
  }
}

/** A {@link Semaphore} whose value can't be above what it was at first. */
export class BoundedSemaphore extends Semaphore {
  constructor(value?: number)
  /** @internal */
  constructor(arrived: Arrived)
  constructor(given: unknown = 1) {
    super(given as Arrived, 'BoundedSemaphore')
  }
}

function semaphoreOf(value: unknown, kind: string): SharedBlock {
  const permits = toInt32(value, 'value')
  if (permits < 0 || permits > mostPermits) throw outOfRange('value', `>= 0 && <= ${mostPermits}`, value)
  // A bound of 0 would be none.
  if (kind === 'BoundedSemaphore' && permits === 0) throw outOfRange('value', '>= 1', value)
  return allocated(binding.makeSemaphore(permits, kind === 'BoundedSemaphore' ? permits : 0))
}

whenArrived('Semaphore', (arrived) => new Semaphore(arrived))
whenArrived('BoundedSemaphore', (arrived) => new BoundedSemaphore(arrived))
