// multiprocessing.Barrier
import { throwIfAborted } from '../abort'
import { binding, type SharedBlock } from '../binding'
import { outOfRange } from '../errors'
import { toFunction, toInt32, toOptions } from '../validate'
import { wordOfPlace } from './block-layout'
import { BrokenBarrierError } from './broken-barrier-error'
import { Arrived, allocated, SharedObject, uncloneable, whenArrived } from './shared-object'
import type { Luggage } from './transfer'
import {
  busyWith,
  looksForTheDead,
  type Patience,
  toPatience,
  toTimeout,
  type Waitable,
  waitAsync,
  waitSync,
} from './waiting'

export interface BarrierOptions {
  /** Called by the last to arrive, before the others go on. What it throws breaks the barrier. */
  action?: (() => unknown) | undefined
  /** Milliseconds that wait() waits where it isn't told another limit. Default: without end. */
  timeoutMs?: number | undefined
}

const generationOffset = 32
const mostParties = 2 ** 16

// What arrive() and lookAtBarrier() tell.
const [, isLast, isFull, wasBroken] = [0, 1, 2, 3]
const [waits, told] = [1, 2]

// What an attempt finds.
const [passed, last, broken] = [0, 1, 2]

/**
 * Holds processes until so many of them have arrived; then all go on, and it holds the next.
 *
 * One that waits longer than it wants to, or dies while it waits, breaks the barrier: all others get
 * {@link BrokenBarrierError} until it is reset. (In Python a death holds them for ever.)
 *
 * Platforms: all. Source: Python's multiprocessing.Barrier, futex(2).
 */
export class Barrier extends SharedObject {
  readonly #action: (() => unknown) | undefined
  readonly #timeoutMs: number

  /**
   * @param parties how many it waits for: 1 to 65536
   * @param options see {@link BarrierOptions}
   * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
   * @throws PosixError ENOMEM: no memory to be shared
   */
  constructor(parties: number, options?: BarrierOptions)
  /** @internal */
  constructor(arrived: Arrived<number>)
  constructor(given: unknown, options?: BarrierOptions) {
    const { action, timeoutMs } = toOptions(given instanceof Arrived ? { timeoutMs: given.data } : options, 'options')
    const wait = toTimeout(timeoutMs, 'options.timeoutMs')
    if (action !== undefined) toFunction(action, 'options.action')
    super('Barrier', given instanceof Arrived ? given.block : barrierOf(given))
    this.#action = action as BarrierOptions['action']
    this.#timeoutMs = wait
  }

  /** How many it waits for. */
  get parties(): number {
    return binding.tellBarrier(SharedObject.blockOf(this))[0]
  }

  /** How many wait there now. */
  get nWaiting(): number {
    return binding.tellBarrier(SharedObject.blockOf(this))[1]
  }

  get broken(): boolean {
    return binding.tellBarrier(SharedObject.blockOf(this))[2] === 1
  }

  /**
   * Waits until all parties have arrived, without blocking the event loop.
   *
   * @param patience milliseconds to wait at most, or `{ timeoutMs, signal }`; default: the barrier's own
   * @returns how many were there before: 0 to parties - 1, another for each
   * @throws BrokenBarrierError: it is broken, or was broken or reset meanwhile, or the time is over
   * @throws AbortError (ABORT_ERR) if the signal aborts, which breaks the barrier
   * @throws what the action throws, where this is the last to arrive
   */
  async wait(patience?: Patience): Promise<number> {
    const given = toPatience(patience, 'patience')
    throwIfAborted(given.signal)
    const party = new Party(SharedObject.blockOf(this))
    const timeoutMs = given.timeoutMs === Number.POSITIVE_INFINITY ? this.#timeoutMs : given.timeoutMs
    try {
      const found = await waitAsync(party, { ...given, timeoutMs })
      if (found !== last) return party.result(found)
      await this.#action?.()
    } catch (error) {
      party.leave()
      throw error
    }
    return party.open()
  }

  /** As wait, and blocks this thread. The action's promise isn't waited for. */
  waitSync(timeoutMs?: number): number {
    const party = new Party(SharedObject.blockOf(this))
    const timeout = timeoutMs === undefined ? this.#timeoutMs : toTimeout(timeoutMs, 'timeoutMs')
    try {
      const found = waitSync(party, timeout)
      if (found !== last) return party.result(found)
      this.#action?.()
    } catch (error) {
      party.leave()
      throw error
    }
    return party.open()
  }

  /** Makes it new: those that wait get BrokenBarrierError. */
  reset(): void {
    binding.breakBarrier(SharedObject.blockOf(this), true)
  }

  /** Breaks it: those that wait, and all that come until reset(), get BrokenBarrierError. */
  abort(): void {
    binding.breakBarrier(SharedObject.blockOf(this), false)
  }

  protected override packData(_luggage: Luggage): unknown {
    // The function would be missing if the child is the last to arrive.
    if (this.#action !== undefined) throw uncloneable('Barrier (with an action)')
    return this.#timeoutMs
  }
}

/** One that has come to the barrier, or wants to. */
class Party implements Waitable {
  readonly block: SharedBlock
  readonly looks = true
  #place: number | undefined
  #index = 0
  #generation = 0

  constructor(block: SharedBlock) {
    this.block = block
  }

  get offset(): number {
    return this.#place === undefined ? generationOffset : wordOfPlace(this.#place)
  }

  attempt(patience: number): number {
    if (this.#place === undefined) return this.#arrive()
    const state = binding.lookAtBarrier(this.block, this.#place, this.#generation, looksForTheDead(patience))
    if (state === waits) return busyWith(waits)
    return state === told ? passed : broken
  }

  #arrive(): number {
    const [outcome, place, index, generation] = binding.arrive(this.block)
    if (outcome === wasBroken) return broken
    this.#generation = generation
    if (outcome === isFull) return busyWith(generation)
    this.#place = place
    this.#index = index
    return outcome === isLast ? last : busyWith(waits)
  }

  /** Leaves its place, which breaks the barrier unless it was told to. False: it is broken. */
  leave(): boolean {
    if (this.#place === undefined) return false
    return binding.leaveBarrier(this.block, this.#place, this.#generation) === told
  }

  /** `found` undefined: the time is over. */
  result(found: number | undefined): number {
    if (found === undefined && this.#place === undefined) binding.breakBarrier(this.block, false)
    if (!this.leave()) throw new BrokenBarrierError()
    return this.#index
  }

  /** As the last: lets the others go on. */
  open(): number {
    if (!binding.openBarrier(this.block, this.#place as number, this.#generation)) throw new BrokenBarrierError()
    return this.#index
  }
}

function barrierOf(parties: unknown): SharedBlock {
  const count = toInt32(parties, 'parties')
  if (count < 1 || count > mostParties) throw outOfRange('parties', `>= 1 && <= ${mostParties}`, parties)
  return allocated(binding.makeBarrier(count))
}

whenArrived<number>('Barrier', (arrived) => new Barrier(arrived))
