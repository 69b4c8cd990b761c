// The kinds of numbers that Value and SharedArray hold: Python's codes, plain names, and JavaScript's own classes.
import { inspect } from 'node:util'
import { invalidArgType, invalidArgValue } from '../errors'

const views = {
  b: Int8Array,
  B: Uint8Array,
  h: Int16Array,
  H: Uint16Array,
  i: Int32Array,
  I: Uint32Array,
  // A C long has 64 bits wherever this package runs.
  l: BigInt64Array,
  L: BigUint64Array,
  q: BigInt64Array,
  Q: BigUint64Array,
  f: Float32Array,
  d: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  uint8c: Uint8ClampedArray,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
}

type Views = typeof views

/** A kind of number: a code of Python's (`'i'`, `'d'`), a name (`'int32'`, `'float64'`), or a class (`Int32Array`). */
export type ElementType = keyof Views | Views[keyof Views]

/** The class of typed arrays of a kind. */
export type ViewOf<Type extends ElementType> = InstanceType<
  Type extends keyof Views ? Views[Type] : Type extends Views[keyof Views] ? Type : never
>

/** What an element of a kind is: a number, or a bigint where it has 64 bits. */
export type ElementOf<Type extends ElementType> = ViewOf<Type>[number]

export type View = InstanceType<Views[keyof Views]>
export type ViewClass = Views[keyof Views]

export function toViewClass(type: unknown): ViewClass {
  if (typeof type === 'string') {
    if (!Object.hasOwn(views, type)) {
      throw invalidArgValue('type', type, `must be one of ${Object.keys(views).join(', ')}`)
    }
    return views[type as keyof Views]
  }
  if (typeof type !== 'function') throw invalidArgType('type', 'of type string or a class of typed arrays', type)
  const found = Object.values(views).find((view) => view === type)
  if (found === undefined) throw invalidArgValue('type', inspect(type), 'must be a class of typed arrays')
  return found
}

/** The name under which a child finds the class again. */
export function nameOfView(view: ViewClass): keyof Views {
  const [name] = Object.entries(views).find(([, each]) => each === view) as [keyof Views, ViewClass]
  return name
}

/** A number for such an array; whole numbers of either type for one of bigints. */
export function toElement(view: ViewClass, value: unknown, name: string): number | bigint {
  const isBig = view === BigInt64Array || view === BigUint64Array
  if (!isBig && typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!isBig) return value as number
  if (typeof value === 'bigint') return value
  if (typeof value !== 'number') throw invalidArgType(name, 'of type bigint or number', value)
  if (!Number.isSafeInteger(value)) throw invalidArgValue(name, value, 'must be a safe integer, or a bigint')
  return BigInt(value)
}
