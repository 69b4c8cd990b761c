// multiprocessing.Value
import { binding } from '../binding'
import {
  type ElementOf,
  type ElementType,
  nameOfView,
  toElement,
  toViewClass,
  type View,
  type ViewOf,
} from './element-types'
import type { Lock } from './lock'
import type { RLock } from './rlock'
import { Arrived, allocated, type PackedPart, SharedObject, whenArrived } from './shared-object'
import { lockOf, type Synchronized, toLock } from './synchronized'
import { type Luggage, transfer } from './transfer'

interface Packed {
  type: ElementType
  lock: PackedPart | undefined
}

const bytes = 8

/**
 * A number in shared memory.
 *
 * To read or to write it takes no lock, as that is one step for the processor. To change it by what it was, such as
 * `value.value++`, is two: `await value.getLock().using(() => value.value++)`.
 *
 * Platforms: all. Source: Python's multiprocessing.Value.
 */
export class Value<Type extends ElementType = ElementType> extends SharedObject implements Synchronized {
  readonly #lock: Lock | RLock | undefined
  readonly #view: View

  /**
   * @param type see {@link ElementType}
   * @param initial what it is at first. Default: 0
   * @param options `lock`: its lock, or false for none. Default: an RLock of its own
   * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   * @throws PosixError ENOMEM: no memory to be shared
   */
  constructor(type: Type, initial?: number | ElementOf<Type>, options?: { lock?: Lock | RLock | boolean })
  /** @internal */
  constructor(arrived: Arrived<Packed>)
  constructor(given: unknown, initial: unknown = 0, options?: { lock?: Lock | RLock | boolean }) {
    const arrived = given instanceof Arrived ? (given as Arrived<Packed>) : undefined
    const view = toViewClass(arrived?.data.type ?? given)
    const first = toElement(view, initial, 'initial')
    const lock = arrived === undefined ? toLock(options) : lockOf(arrived, arrived.data.lock)
    super('Value', arrived?.block ?? allocated(binding.shareMemory(bytes)))
    this.#lock = lock
    this.#view = new view(binding.sharedBuffer(SharedObject.blockOf(this)), 0, 1)
    if (arrived === undefined) this.#view[0] = first
  }

  /** A number out of the type's range is cut as a typed array cuts it. Throws ERR_INVALID_ARG_TYPE. */
  get value(): ElementOf<Type> {
    return this.#view[0] as ElementOf<Type>
  }

  set value(value: ElementOf<Type>) {
    this.#view[0] = toElement(this.#view.constructor as Parameters<typeof toElement>[0], value, 'value')
  }

  /** Its lock. Throws TypeError if it was made without one. */
  getLock(): Lock | RLock {
    if (this.#lock === undefined) throw new TypeError('this Value was made without a lock')
    return this.#lock
  }

  /** The memory itself, as an array of one: for Atomics. */
  getObj(): ViewOf<Type> {
    return this.#view as ViewOf<Type>
  }

  protected override packData(luggage: Luggage): Packed {
    return {
      type: nameOfView(this.#view.constructor as Parameters<typeof nameOfView>[0]),
      lock: this.#lock?.[transfer](luggage),
    }
  }
}

whenArrived<Packed>('Value', (arrived) => new Value(arrived))
