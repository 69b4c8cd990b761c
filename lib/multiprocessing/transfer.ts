// What travels to a child that is no copy of this process: values by structured clone, and beside them objects that
// know how to travel, such as a Lock, with the descriptors that they stand on.
import { deserialize, serialize } from 'node:v8'
import { describeUncloneable } from './uncloneable'

/**
 * The method of an object that can travel. It tells what the other side needs: `kind`, a name given to
 * {@link registerArrival}, and `data`, by structured clone, in which descriptors stand as the numbers that
 * `luggage.add` gave. It throws what the user is told, where the object can't travel.
 */
export const transfer: unique symbol = Symbol.for('truefork.transfer')

export interface Transferable {
  [transfer](luggage: Luggage): { kind: string; data: unknown }
}

/** Takes descriptors along. They stay the sender's; the receiver gets duplicates, with FD_CLOEXEC, to be its own. */
export interface Luggage {
  /** @returns what stands for it in `data` */
  add(fd: number): number
  /** How the child is made, or undefined: it is there already, as a Queue's reader is. */
  readonly method: 'spawn' | 'forkserver' | undefined
}

/** Finds the receiver's own descriptor by what stands for it. */
export type Unpack = (index: number) => number

/** A value on its way. */
export interface Parcel {
  data: Buffer
  /** The sender's descriptors, in the order in which the receiver must list its own. */
  fds: readonly number[]
}

const arrivals = new Map<string, (data: never, unpack: Unpack) => object>()

/** Has `revive` make an object of this kind again from its `data`. To be called as the module is loaded. */
export function registerArrival<Data>(kind: string, revive: (data: Data, unpack: Unpack) => object): void {
  arrivals.set(kind, revive)
}

/**
 * Packs a value for another process.
 *
 * @param name what it is called in errors: "args"
 * @throws ERR_INVALID_ARG_VALUE naming what can't be cloned: `args[0].lock`
 * @throws what an object's own {@link transfer} throws
 */
export function pack(value: unknown, name: string, method?: Luggage['method']): Parcel {
  const fds: number[] = []
  const travellers: [standIn: object, kind: string, data: unknown][] = []
  const standIns = new Map<object, object>()
  const luggage: Luggage = { add: (fd) => fds.push(fd) - 1, method }
  const standInFor = (traveller: Transferable): object => {
    const known = standIns.get(traveller)
    if (known !== undefined) return known
    const standIn = {}
    standIns.set(traveller, standIn)
    const { kind, data } = traveller[transfer](luggage)
    travellers.push([standIn, kind, data])
    return standIn
  }
  const replaced = hasTraveller(value) ? replace(value, isTraveller, standInFor) : value
  try {
    return { data: serialize([replaced, travellers]), fds }
  } catch (error) {
    throw describeUncloneable(replaced, name, error)
  }
}

/**
 * Makes a packed value again.
 *
 * @param fds the receiver's own descriptors; whoever revives an object owns its
 */
export function unpack(data: Uint8Array, fds: readonly number[]): unknown {
  const [value, travellers] = deserialize(data) as [unknown, [object, string, never][]]
  if (travellers.length === 0) return value
  const revived = new Map<unknown, object>()
  for (const [standIn, kind, its] of travellers) {
    const revive = arrivals.get(kind)
    if (revive === undefined) throw new Error(`nothing is known here of a ${kind}`)
    revived.set(
      standIn,
      revive(its, (index) => fds[index] as number),
    )
  }
  return replace(
    value,
    (item) => revived.has(item),
    (item) => revived.get(item) as object,
  )
}

function isTraveller(value: object): value is Transferable {
  return typeof (value as Partial<Transferable>)[transfer] === 'function'
}

/** Whether something in this value is more than structured clone would see. */
export function hasTraveller(value: unknown, seen = new Set<object>()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false
  if (isTraveller(value)) return true
  seen.add(value)
  return partsOf(value).some((part) => hasTraveller(part, seen))
}

/** What structured clone looks into; no copy of large data. */
function partsOf(value: object): unknown[] {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return []
  if (value instanceof Map) return [...value.keys(), ...value.values()]
  if (value instanceof Set) return [...value]
  return Object.values(value)
}

/** A copy with some objects replaced. What holds none of them is itself copied, too: it is for serialize alone. */
function replace<Found extends object>(
  root: unknown,
  isWanted: ((value: object) => value is Found) | ((value: object) => boolean),
  replacement: (value: Found) => object,
): unknown {
  const copies = new Map<object, object>()
  const visit = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (isWanted(value)) return replacement(value as Found)
    const known = copies.get(value)
    if (known !== undefined) return known
    return copyOf(value, copies, visit)
  }
  return visit(root)
}

function copyOf(value: object, copies: Map<object, object>, visit: (value: unknown) => unknown): object {
  const keep = <Copy extends object>(copy: Copy): Copy => {
    copies.set(value, copy)
    return copy
  }
  if (Array.isArray(value)) {
    const copy = keep(new Array(value.length))
    for (const key of Object.keys(value)) copy[key as unknown as number] = visit(value[key as unknown as number])
    return copy
  }
  if (value instanceof Map) {
    const copy = keep(new Map())
    for (const [key, item] of value) copy.set(visit(key), visit(item))
    return copy
  }
  if (value instanceof Set) {
    const copy = keep(new Set())
    for (const item of value) copy.add(visit(item))
    return copy
  }
  if (Object.prototype.toString.call(value) !== '[object Object]') return keep(value)
  const copy = keep({} as Record<string, unknown>)
  for (const [key, item] of Object.entries(value)) copy[key] = visit(item)
  return copy
}
