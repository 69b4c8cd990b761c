// The lock of a Value or a SharedArray.
import { invalidArgType } from '../errors'
import { toOptions } from '../validate'
import { Lock } from './lock'
import { RLock } from './rlock'
import type { Arrived, PackedPart } from './shared-object'

export interface Synchronized {
  getLock(): Lock | RLock
}

export interface SynchronizedOptions {
  /** Its lock, or false for none. Default: an RLock of its own. */
  lock?: Lock | RLock | boolean | undefined
}

export function toLock(options: unknown): Lock | RLock | undefined {
  const { lock = true } = toOptions(options, 'options')
  if (lock === false) return undefined
  if (lock === true) return new RLock()
  if (lock instanceof Lock || lock instanceof RLock) return lock
  throw invalidArgType('options.lock', 'of type boolean or an instance of Lock or RLock', lock)
}

export function lockOf(arrived: Arrived, part: PackedPart | undefined): Lock | RLock | undefined {
  return part === undefined ? undefined : (arrived.part(part) as Lock | RLock)
}
