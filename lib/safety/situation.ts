// What the probes of the table of hazards look at, each thing once however many of them ask.
import { binding, type RawDescriptor } from '../binding'
import { type FdInfo, fdTable } from '../fd-table'
import type { Hazard } from './hazards'
import { type KnownThread, knownThreads } from './threads'

/** Which threads the child is to have. */
export type Threads = 'all' | 'caller'

export interface Situation {
  readonly kept: Threads
  /** Every thread of this process, the main one first. */
  readonly threads: readonly KnownThread[]
  readonly descriptors: readonly FdInfo[]
  /** What parent and child would share though each event goes to one of them only. */
  readonly unrebuilt: readonly RawDescriptor[]
}

/** What a probe has found: in words, or with more. */
export interface Finding {
  detail: string
  /** The thread that it is about. */
  tid?: number | undefined
  /** Where it is less than what the table says. */
  severity?: Hazard['severity']
}

export type Probe = (situation: Situation) => Finding | string | undefined

export function situationFor(kept: Threads): Situation {
  return {
    kept,
    get threads() {
      return once(this, 'threads', knownThreads())
    },
    get descriptors() {
      return once(this, 'descriptors', fdTable())
    },
    get unrebuilt() {
      return once(this, 'unrebuilt', binding.unrebuiltDescriptors())
    },
  }
}

/** Puts a value in the place of the getter that has found it. */
function once<Value>(situation: Situation, name: keyof Situation, value: Value): Value {
  Object.defineProperty(situation, name, { value })
  return value
}

/** `a, b, c and 7 more` */
export function listed(items: readonly string[], most = 5): string {
  const rest = items.length - most
  return rest > 0 ? `${items.slice(0, most).join(', ')} and ${rest} more` : items.join(', ')
}

/** `1 thread`, `2 threads` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

export function megabytes(kilobytes: number): string {
  return `${Math.ceil(kilobytes / 1024)} MB`
}
