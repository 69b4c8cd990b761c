// multiprocessing.Array
import { constants as bufferConstants } from 'node:buffer'
import { binding, type SharedBlock } from '../binding'
import { invalidArgType, outOfRange } from '../errors'
import {
  type ElementType,
  nameOfView,
  toElement,
  toViewClass,
  type View,
  type ViewClass,
  type ViewOf,
} from './element-types'
import type { Lock } from './lock'
import type { RLock } from './rlock'
import { type Arrived, allocated, type PackedPart, SharedObject, whenArrived } from './shared-object'
import { lockOf, type SynchronizedOptions, toLock } from './synchronized'
import { type Luggage, transfer } from './transfer'

/** A typed array whose memory is shared between processes. */
export type SharedArray<Type extends ElementType = ElementType> = ViewOf<Type> & {
  /** Its lock. Throws TypeError if it was made without one. */
  getLock(): Lock | RLock
}

interface SharedArrayConstructor {
  /**
   * @param type see {@link ElementType}
   * @param sizeOrInitial how many elements, all 0; or their first values
   * @param options `lock`: its lock, or false for none. Default: an RLock of its own
   * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE
   * @throws PosixError ENOMEM: no memory to be shared
   */
  new <Type extends ElementType>(
    type: Type,
    sizeOrInitial: number | Iterable<number | bigint>,
    options?: SynchronizedOptions,
  ): SharedArray<Type>
  readonly prototype: SharedArray
}

interface Packed {
  type: ElementType
  length: number
  lock: PackedPart | undefined
}

/** Holds the memory and what travels. */
class ArrayMemory extends SharedObject {
  readonly view: ViewClass
  readonly length: number
  readonly lock: Lock | RLock | undefined

  constructor(block: SharedBlock, view: ViewClass, length: number, lock: Lock | RLock | undefined) {
    super('SharedArray', block)
    this.view = view
    this.length = length
    this.lock = lock
  }

  protected override packData(luggage: Luggage): Packed {
    return { type: nameOfView(this.view), length: this.length, lock: this.lock?.[transfer](luggage) }
  }
}

const memories = new WeakMap<object, ArrayMemory>()

/**
 * Numbers in shared memory: a typed array like any other, with a lock.
 *
 * To read or to write an element takes no lock, and Atomics work on it between processes. What makes an array of it,
 * such as slice(), map() or structured clone, makes an ordinary one. The memory lives as long as the array does in any
 * process.
 *
 * Platforms: all. Source: Python's multiprocessing.Array, mmap(2).
 */
export const SharedArray: SharedArrayConstructor = class SharedArray {
  constructor(type: unknown, sizeOrInitial: unknown, options?: SynchronizedOptions) {
    const view = toViewClass(type)
    const initial = typeof sizeOrInitial === 'number' ? undefined : toInitial(view, sizeOrInitial)
    const length = initial?.length ?? toLength(view, sizeOrInitial as number)
    const lock = toLock(options)
    // An empty one has memory, too: there is no mapping of nothing.
    const block = allocated(binding.shareMemory(Math.max(length, 1) * view.BYTES_PER_ELEMENT))
    const array = viewOf(new ArrayMemory(block, view, length, lock))
    if (initial !== undefined) array.set(initial as never)
    // biome-ignore lint/correctness/noConstructorReturn: a typed array can't be made otherwise
    return array as unknown as SharedArray
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && memories.has(value)
  }
} as unknown as SharedArrayConstructor

const members = {
  getLock(this: object): Lock | RLock {
    const lock = memories.get(this)?.lock
    if (lock === undefined) throw new TypeError('this SharedArray was made without a lock')
    return lock
  },
  [transfer](this: object, luggage: Luggage): unknown {
    return (memories.get(this) as ArrayMemory)[transfer](luggage)
  },
}

function viewOf(memory: ArrayMemory): View {
  const { view, length } = memory
  const array = new view(binding.sharedBuffer(SharedObject.blockOf(memory)), 0, length)
  Object.defineProperties(array, {
    getLock: { value: members.getLock },
    [transfer]: { value: members[transfer] },
  })
  memories.set(array, memory)
  return array
}

function toLength(view: ViewClass, size: number): number {
  const most = Math.floor(bufferConstants.MAX_LENGTH / view.BYTES_PER_ELEMENT)
  if (!Number.isInteger(size)) throw outOfRange('sizeOrInitial', 'an integer', size)
  if (size < 0 || size > most) throw outOfRange('sizeOrInitial', `>= 0 && <= ${most}`, size)
  return size
}

function toInitial(view: ViewClass, initial: unknown): (number | bigint)[] {
  const isIterable = typeof initial === 'object' && initial !== null && Symbol.iterator in initial
  if (!isIterable) throw invalidArgType('sizeOrInitial', 'of type number or an iterable of numbers', initial)
  return Array.from(initial as Iterable<unknown>, (item, index) => toElement(view, item, `sizeOrInitial[${index}]`))
}

whenArrived<Packed>('SharedArray', (arrived: Arrived<Packed>) => {
  const { type, length, lock } = arrived.data
  return viewOf(
    new ArrayMemory(arrived.block, toViewClass(type), length, lockOf(arrived, lock)),
  ) as unknown as ArrayMemory
})
