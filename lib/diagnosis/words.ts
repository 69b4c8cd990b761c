// What was found, said to a person.
import { existsSync, readFileSync } from 'node:fs'
import type { LockWait } from './locks'
import type { ProcessView, ThreadView } from './process-view'
import { describeCall, toSystemCall } from './system-calls'
import type { LockOwner } from './threads-by-tid'
import type { Reason, SeenThread } from './verdict'

/** `the main thread 12 ("node")` */
export function labelOf(view: ProcessView, { tid, name }: ThreadView): string {
  return `${tid === view.pid ? 'the main thread' : 'thread'} ${tid} ("${name}")`
}

const stateWords: Readonly<Record<string, string>> = {
  R: 'runs',
  T: 'is stopped by a signal',
  t: 'is stopped by a debugger',
  Z: 'has ended',
  X: 'has ended',
  I: 'is an idle thread of the kernel',
}

/** What a thread does, as the rest of a sentence that begins with its label. */
export function describeThread(view: ProcessView, seen: SeenThread, reason: Reason | undefined): string {
  const { thread, lock } = seen
  if (stateWords[thread.state] !== undefined) return stateWords[thread.state] as string
  if (lock !== null) return describeLock(seen, lock) + (reason === undefined ? '' : `: ${verdictWords(reason)}`)
  const deeply = thread.state === 'D' ? ', which no signal interrupts' : ''
  if (thread.unreadable !== null) {
    const where = thread.wchan === '' ? '' : ` in the kernel's ${thread.wchan}`
    return `sleeps${where}${deeply}; its system call can't be read: ${unreadableWords(thread.unreadable)}`
  }
  const call = thread.call === null ? null : toSystemCall(thread.call)
  if (call !== null) return `${describeCall(view, call)}${deeply}`
  // Between system calls: a page that is being read in, or a moment before it is stopped.
  return thread.call === null ? 'runs' : `is in the kernel, in no system call${deeply}`
}

function verdictWords(reason: Reason): string {
  return reason === 'nobody' ? 'nobody is left to wake it, and it will wait for ever' : 'it will wait for ever'
}

function unreadableWords(code: string): string {
  const scope = '/proc/sys/kernel/yama/ptrace_scope'
  const level = existsSync(scope) ? readFileSync(scope, 'utf8').trim() : '0'
  if (code !== 'EPERM' && code !== 'EACCES') return code
  const yama = level === '0' ? '' : `, or ptrace is restricted (${scope} is ${level})`
  return `${code}, as it is another user's or has dropped its rights${yama}`
}

const lockWords: Readonly<Record<LockWait['kind'], string>> = {
  mutex: 'a mutex',
  rwlock: 'a rwlock',
  condition: 'a condition variable',
  semaphore: 'a semaphore',
  barrier: 'a barrier',
  once: 'what pthread_once lets run once',
  thread: '',
  atomics: 'Atomics.notify, by Atomics.wait',
  allocator: "a lock of malloc's",
  multiprocessing: 'a lock of truefork/multiprocessing',
  unknown: 'a futex',
}

function describeLock({ thread, functions }: SeenThread, lock: LockWait): string {
  // Who waits for one of our shared locks looks again and again.
  const limit = lock.timed && lock.kind !== 'multiprocessing' ? ' for a limited time' : ''
  if (lock.kind === 'thread') return `waits${limit} for thread ${lock.owner?.tid} to end${goneWords(lock.owner)}`
  const where = `at ${lock.address} (${lock.mapping}${lock.shared ? ', shared' : ''})`
  const what = `waits${limit} for ${lockWords[lock.kind]} ${where}`
  if (lock.owner !== null) return `${what}, which ${ownerWords(lock.owner, thread.tid, lock.shared)}`
  if (lock.readers !== undefined && lock.readers > 0)
    return `${what}, which is locked for reading ${times(lock.readers)}`
  return `${what}${functions.length === 0 ? '' : `, in ${functions.slice(0, 4).join(' < ')}`}`
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

function ownerWords(owner: LockOwner, waiter: number, shared: boolean): string {
  const name = owner.name === null ? '' : ` ("${owner.name}")`
  if (owner.tidHere === waiter) return 'it holds itself'
  if (owner.tidHere !== null) return `thread ${owner.tidHere}${name} holds`
  if (owner.leftAtFork) return `thread ${owner.tid}${name} of the parent held at the fork${goneWords(owner)}`
  if (owner.exists === false) return `thread ${owner.tid}${name} held${shared ? ', which has ended' : goneWords(owner)}`
  if (owner.exists === true) return `thread ${owner.tid}${name} of another process holds`
  return `thread ${owner.tid} held when it was last seen; whether it lives can't be told`
}

function goneWords(owner: LockOwner | null): string {
  if (owner?.leftAtFork === true) return '; no such thread exists here'
  return owner?.exists === false ? '; no such thread exists any more' : ''
}

/** What to do about it. */
export function adviceFor(view: ProcessView, { lock }: SeenThread, reason: Reason, kept: string | null): string {
  const end = `It can only be ended: kill(${view.pid}, 'SIGKILL').`
  if (lock?.owner?.leftAtFork === true || (reason === 'nobody' && kept === 'caller')) {
    return `${end} Fork with threads: 'all', whose child has every thread; or while no other thread holds such a lock; or let the child call exec or _exit at once.`
  }
  if (reason === 'cycle') {
    return `${end} Threads that take several locks must take them in the same order, and none twice.`
  }
  return reason === 'gone' ? `${end} A thread must give its locks back before it ends.` : end
}
