// multiprocessing.Event
import { binding } from '../binding'
import { wordOffset } from './block-layout'
import { Arrived, allocated, SharedObject, whenArrived } from './shared-object'
import { type Patience, toPatience, toTimeout, type Waitable, waitAsync, waitSync } from './waiting'

/**
 * A flag that processes can wait for. Whoever waits when it is set goes on, even if it is cleared at once.
 *
 * @throws PosixError ENOMEM: no memory to be shared
 *
 * Platforms: all. Source: Python's multiprocessing.Event, futex(2).
 */
export class Event extends SharedObject {
  constructor()
  /** @internal */
  constructor(arrived: Arrived)
  constructor(arrived?: Arrived) {
    super('Event', arrived instanceof Arrived ? arrived.block : allocated(binding.makeEvent()))
  }

  set(): void {
    binding.setEvent(SharedObject.blockOf(this), true)
  }

  clear(): void {
    binding.setEvent(SharedObject.blockOf(this), false)
  }

  isSet(): boolean {
    return (binding.eventWord(SharedObject.blockOf(this)) & 1) === 1
  }

  /**
   * Waits until it is set, without blocking the event loop.
   *
   * @param patience milliseconds to wait at most, or `{ timeoutMs, signal }`; default: without end
   * @returns false: the time is over
   * @throws AbortError (ABORT_ERR) if the signal aborts
   */
  async wait(patience?: Patience): Promise<boolean> {
    return (await waitAsync(this.#waitable(), toPatience(patience, 'patience'))) !== undefined
  }

  /** Waits until it is set, and blocks this thread until then; `timeoutMs` as wait's. */
  waitSync(timeoutMs?: number): boolean {
    return waitSync(this.#waitable(), toTimeout(timeoutMs, 'timeoutMs')) !== undefined
  }

  #waitable(): Waitable {
    const block = SharedObject.blockOf(this)
    const since = binding.eventWord(block)
    return { block, offset: wordOffset, looks: false, attempt: () => binding.lookAtEvent(block, since) }
  }
}

whenArrived('Event', (arrived) => new Event(arrived))
