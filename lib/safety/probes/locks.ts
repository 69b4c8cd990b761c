// Hazards of locks that nobody in the child would give back.
import { binding } from '../../binding'
import { sleepSync } from '../../sleep-sync'
import { heldMutexes } from '../locks'
import { counted, type Finding, listed, type Situation } from '../situation'
import { named } from '../threads'
import { startedSingleThreaded } from './threads'

export function lockedMutex({ kept, threads }: Situation): Finding | undefined {
  const self = binding.gettid()
  // What both have in common its holder gives back for both; what the forking thread holds is the child's own.
  const held = heldMutexes().filter(({ shared, pid, tid }) => !shared && pid === process.pid && tid !== self)
  const [first] = held
  if (first === undefined) return undefined
  const holder = (tid: number) => {
    const thread = threads.find((each) => each.tid === tid)
    return thread === undefined ? 'another thread' : named(thread)
  }
  const places = listed(held.map(({ name, tid }) => `"${name}", held by ${holder(tid)}`))
  const consequence =
    kept === 'all'
      ? 'the child gets a copy that its own copy of the holder will give back'
      : 'the child gets a copy that nobody will ever give back'
  return {
    detail: `${counted(held.length, 'lock')} made in JavaScript is held, and ${consequence}: ${places}`,
    tid: first.tid || undefined,
  }
}

/** Longer than most locks are held. */
const momentMs = 2

export function nativeLockHeld({ threads }: Situation): Finding | undefined {
  const self = binding.gettid()
  const tids = threads.map(({ tid }) => tid)
  const look = () => binding.lockWaits(tids).filter(({ owner }) => owner !== self)
  const early = look()
  if (early.length === 0) return undefined
  sleepSync(momentMs)
  const held = look().filter((wait) =>
    early.some(({ waiter, owner }) => waiter === wait.waiter && owner === wait.owner),
  )
  const [first] = held
  if (first === undefined) return undefined
  const name = (tid: number) => {
    const thread = threads.find((each) => each.tid === tid)
    return thread === undefined ? `tid ${tid}` : named(thread)
  }
  const places = held.map(
    ({ owner, waiter, file }) => `${name(owner)} holds one${file && ` of ${file}`} that ${name(waiter)} waits for`,
  )
  const finding = {
    detail: `a lock of native code would be held in the child for ever, by a thread that isn't there: ${listed(places)}`,
    tid: first.owner,
  }
  return startedSingleThreaded() ? finding : { ...finding, severity: 'notice' }
}
