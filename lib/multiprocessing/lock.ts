// multiprocessing.Lock
import { binding } from '../binding'
import { OwnedLock } from './owned-lock'
import { Arrived, allocated, whenArrived } from './shared-object'

/**
 * A lock that one thread of all processes holds at a time. Children of fork inherit it, and others get it as an argument
 * of a Process.
 *
 * As in Python any thread of any process may release it, and who holds it and acquires it again waits. A child of fork
 * doesn't hold what its parent does. A thread, process or Worker that dies with the lock loses it within half a second:
 * see {@link Lock.ownerDied}. A process that calls exec keeps it, as it goes on living.
 *
 * @throws PosixError ENOMEM: no memory to be shared
 *
 * Platforms: all. Source: futex(2) on Linux, os_sync_wait_on_address(3) on macOS.
 */
export class Lock extends OwnedLock {
  constructor()
  /** @internal */
  constructor(arrived: Arrived)
  constructor(arrived?: Arrived) {
    super('Lock', arrived instanceof Arrived ? arrived.block : allocated(binding.makeLock(false)))
  }
}

whenArrived('Lock', (arrived) => new Lock(arrived))
