// Locks made in JavaScript, so that a fork knows which of them are held, and by whom.
import { invalidArgType } from '../errors'

/** Who holds a lock: a process, and its thread as gettid() names it; tid 0 where only the process is known. */
export interface MutexHolder {
  pid: number
  tid: number
}

/** A lock, as far as a fork is concerned with it. */
export interface Mutex {
  /** As a report calls it: 'Lock', 'the cache of sessions'. */
  readonly name: string
  /** True: it lies in memory that parent and child have in common. False: each has its own from the fork on. */
  readonly shared: boolean
  /** Who holds it now; null: nobody. */
  holder(): MutexHolder | null
}

const registered = new Set<WeakRef<Mutex>>()
const collected = new FinalizationRegistry<WeakRef<Mutex>>((reference) => registered.delete(reference))

/**
 * Has forkHazards and fork look after a lock, such as one that Atomics.wait makes of a SharedArrayBuffer: whether it is
 * held in a way that no thread of the child could end (locked-mutex).
 *
 * @param mutex see {@link Mutex}; it is held weakly, so keep it as long as the lock. Its `holder` is called during
 *   fork(), and so must not fork or wait.
 * @returns takes it away again
 * @throws ERR_INVALID_ARG_TYPE: it lacks one of these
 *
 * It is known to the thread that registers it: to the main thread, as nobody else forks.
 */
export function registerMutex(mutex: Mutex): () => void {
  const given = mutex as Partial<Record<keyof Mutex, unknown>> | null | undefined
  if (typeof given !== 'object' || given === null) throw invalidArgType('mutex', 'of type object', mutex)
  if (typeof given.name !== 'string') throw invalidArgType('mutex.name', 'of type string', given.name)
  if (typeof given.shared !== 'boolean') throw invalidArgType('mutex.shared', 'of type boolean', given.shared)
  if (typeof given.holder !== 'function') throw invalidArgType('mutex.holder', 'of type function', given.holder)
  const reference = new WeakRef(mutex)
  registered.add(reference)
  collected.register(mutex, reference, reference)
  return () => {
    registered.delete(reference)
    collected.unregister(reference)
  }
}

/** A registered lock that is held at this moment. */
export interface HeldMutex extends MutexHolder {
  name: string
  shared: boolean
}

/** Every registered lock that is held at this moment. */
export function heldMutexes(): HeldMutex[] {
  return [...registered].flatMap((reference) => {
    const mutex = reference.deref()
    const holder = mutex?.holder()
    return mutex && holder ? [{ name: mutex.name, shared: mutex.shared, pid: holder.pid, tid: holder.tid }] : []
  })
}
