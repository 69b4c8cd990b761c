// What lives in memory that processes share: a handle on it, which children of fork inherit, and which travels to others
// as an argument of a Process.
import { closeSync } from 'node:fs'
import { binding, type SharedBlock } from '../binding'
import { checked } from '../errors'
import { type Luggage, registerArrival, type Transferable, transfer, type Unpack } from './transfer'

/** A block that was asked for, or PosixError. */
export function allocated(block: SharedBlock | number): SharedBlock {
  if (typeof block === 'number') throw checked(block, 'memfd_create')
  return block
}

/** A block on its way: a descriptor of the mapping that it lies in, and where. */
interface PackedBlock {
  descriptor: number
  offset: number
  bytes: number
}

interface PackedObject {
  block: PackedBlock
  /** Whatever else the class needs. */
  data: unknown
}

/** An object that another is made of, on its way. */
export interface PackedPart {
  kind: string
  data: PackedObject
}

type Revive = (arrived: Arrived<never>) => SharedObject

const revivers = new Map<string, Revive>()

/** Says how objects of a class are made of what has arrived. */
export function whenArrived<Data = unknown>(kind: string, revive: (arrived: Arrived<Data>) => SharedObject): void {
  revivers.set(kind, revive)
  registerArrival(kind, (packed: PackedObject, unpack) => revive(new Arrived(packed, unpack)))
}

/** What a class's constructor makes an object of, in the process that it has arrived in. */
export class Arrived<Data = unknown> {
  readonly block: SharedBlock
  readonly data: Data
  readonly #unpack: Unpack

  constructor({ block, data }: PackedObject, unpack: Unpack) {
    const descriptor = unpack(block.descriptor)
    try {
      this.block = allocated(binding.attachBlock(descriptor, block.offset, block.bytes))
    } finally {
      closeSync(descriptor) // the mapping has one of its own
    }
    this.data = data as Data
    this.#unpack = unpack
  }

  part({ kind, data }: PackedPart): SharedObject {
    const revive = revivers.get(kind) as Revive
    return revive(new Arrived<never>(data, this.#unpack))
  }
}

/** Stands in the way of structured clone and JSON, which would make an empty object of such a one. */
const guard = 'isShared'

export abstract class SharedObject implements Transferable {
  readonly #kind: string
  readonly #block: SharedBlock

  constructor(kind: string, block: SharedBlock) {
    this.#kind = kind
    this.#block = block
    Object.defineProperty(this, guard, {
      enumerable: true,
      get: () => {
        throw uncloneable(kind)
      },
    })
  }

  protected get kind(): string {
    return this.#kind
  }

  static blockOf(object: SharedObject): SharedBlock {
    return object.#block
  }

  /** For Process alone, which may give it to its child. */
  [transfer](luggage: Luggage): { kind: string; data: PackedObject } {
    // A Queue's message may never be read, or by a process that has nothing to do with this one.
    if (luggage.method === undefined) throw uncloneable(this.#kind)
    return { kind: this.#kind, data: { block: packBlock(this.#block, luggage), data: this.packData(luggage) } }
  }

  protected packData(_luggage: Luggage): unknown {
    return undefined
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `${this.#kind} {}`
  }
}

/**
 * @throws PosixError EBADF: somebody has closed the descriptor of the memory, or it has none, as the table was full when
 *   it was made
 */
export function packBlock(block: SharedBlock, luggage: Luggage): PackedBlock {
  const [descriptor, offset, bytes] = binding.tellBlock(block)
  return { descriptor: luggage.add(checked(descriptor, 'memfd_create')), offset, bytes }
}

/** In spirit what Python says. */
export function uncloneable(name: string): DOMException {
  return new DOMException(
    `${name} objects should only be shared between processes through inheritance: fork the child that needs it, or give it to a Process as an argument`,
    'DataCloneError',
  )
}
