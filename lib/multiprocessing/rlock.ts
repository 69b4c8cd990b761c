// multiprocessing.RLock
import { binding } from '../binding'
import { OwnedLock } from './owned-lock'
import { Arrived, allocated, whenArrived } from './shared-object'

/**
 * A {@link Lock} that the thread which holds it may acquire again, and has to release as often.
 *
 * Its owner is a thread, as in Python: all of a thread's asynchronous functions are one owner to it, and don't keep each
 * other out. Only the owner can release it.
 *
 * @throws PosixError ENOMEM: no memory to be shared
 *
 * Platforms: all. Source: as Lock's.
 */
export class RLock extends OwnedLock {
  constructor()
  /** @internal */
  constructor(arrived: Arrived)
  constructor(arrived?: Arrived) {
    super('RLock', arrived instanceof Arrived ? arrived.block : allocated(binding.makeLock(true)))
  }
}

whenArrived('RLock', (arrived) => new RLock(arrived))
