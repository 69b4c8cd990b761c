// Which threads will never go on. Only what is proven counts: two looks saw the same wait without a time limit, and there
// is nobody who could end it.
import type { FoundLock, LockKind } from './locks'
import type { ThreadView } from './process-view'

/** A thread as it was looked at. */
export interface SeenThread {
  thread: ThreadView
  /** The functions it is in, the innermost first. */
  functions: readonly string[]
  lock: FoundLock | null
}

/**
 * Why a thread will never go on. 'gone': no thread has its lock. 'cycle': it waits for threads that wait for it. 'chain':
 * it waits for one that will never go on. 'nobody': every thread of the process waits, and nothing outside can wake it.
 */
export type Reason = 'gone' | 'cycle' | 'chain' | 'nobody'

// A signal handler may give back a semaphore, and no other of these; signal-safety(7).
const givenBackByThreads: readonly LockKind[] = [
  'mutex',
  'rwlock',
  'condition',
  'barrier',
  'once',
  'thread',
  'atomics',
  'allocator',
]

/** True if the second look found a thread, and its lock, exactly as the first did. */
export function isUnmoved({ thread, lock }: SeenThread, later: SeenThread | undefined): boolean {
  if (later === undefined || lock === null || later.lock === null) return false
  const { call, switches } = later.thread
  const isSame = JSON.stringify(call) === JSON.stringify(thread.call) && switches === thread.switches
  return isSame && lock.bytes === later.lock.bytes
}

/** Why which threads will never go on, by their tids. `unmoved` are those of whom two looks found the same. */
export function findDeadlocks(all: readonly SeenThread[], unmoved: readonly SeenThread[]): Map<number, Reason> {
  // A thread that is stopped may wait for its lock already, and for nothing once it goes on.
  const stuck = unmoved.filter(({ thread, lock }) => thread.state === 'S' && lock?.timed === false)
  const reasons = new Map<number, Reason>()
  for (const { thread, lock } of stuck) {
    if (lock?.owner?.exists === false) reasons.set(thread.tid, 'gone')
    else if (isInCycle(thread.tid, stuck)) reasons.set(thread.tid, 'cycle')
  }
  for (let found = -1; found !== reasons.size; ) {
    found = reasons.size
    for (const { thread, lock } of stuck) {
      const isChained = reasons.has(lock?.owner?.tidHere ?? -1)
      if (isChained && !reasons.has(thread.tid)) reasons.set(thread.tid, 'chain')
    }
  }
  const living = all.filter(({ thread }) => !'ZX'.includes(thread.state))
  if (stuck.length === living.length && stuck.every(onlyThreadsCanWake)) {
    for (const { thread } of stuck) if (!reasons.has(thread.tid)) reasons.set(thread.tid, 'nobody')
  }
  return reasons
}

function onlyThreadsCanWake({ lock }: SeenThread): boolean {
  return lock !== null && !lock.shared && givenBackByThreads.includes(lock.kind)
}

function isInCycle(start: number, stuck: readonly SeenThread[]): boolean {
  let tid: number | null | undefined = start
  for (let steps = 0; steps <= stuck.length; steps++) {
    tid = stuck.find(({ thread }) => thread.tid === tid)?.lock?.owner?.tidHere
    if (tid === start) return true
    if (tid === undefined || tid === null) return false
  }
  return false
}
