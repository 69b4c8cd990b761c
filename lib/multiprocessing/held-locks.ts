// The locks that this thread holds: they are kept from being collected, and a fork can ask for them.
import { binding } from '../binding'
import { type Mutex, registerMutex } from '../safety/locks'
import type { OwnedLock } from './owned-lock'
import { SharedObject } from './shared-object'

/** Nobody would be left to release it. */
const held = new Set<OwnedLock>()
/** For forkHazards: those that have ever been held here. */
const mutexes = new WeakMap<OwnedLock, Mutex>()

export function noteHeld(lock: OwnedLock, name: string): void {
  held.add(lock)
  if (mutexes.has(lock)) return
  const block = SharedObject.blockOf(lock)
  const mutex: Mutex = {
    name,
    shared: true,
    holder() {
      const [, isHeld, pid, , , tid] = binding.tellLock(block)
      return isHeld === 1 ? { pid, tid } : null
    },
  }
  mutexes.set(lock, mutex)
  registerMutex(mutex)
}

export function noteReleased(lock: OwnedLock): void {
  held.delete(lock)
}
