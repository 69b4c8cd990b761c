// Why a process doesn't move.
import { constants as osConstants } from 'node:os'
import type { RawForkRecord } from '../binding'
import { readForkRecord } from '../diagnosis/fork-record'
import { findLock, type LockWait } from '../diagnosis/locks'
import { ProcessView, type RawCall, type ThreadView } from '../diagnosis/process-view'
import { functionsOf } from '../diagnosis/stack'
import { type SystemCall, tellsSystemCalls, toSystemCall } from '../diagnosis/system-calls'
import { ThreadsByTid } from '../diagnosis/threads-by-tid'
import { findDeadlocks, isUnmoved, type Reason, type SeenThread } from '../diagnosis/verdict'
import { adviceFor, describeThread, labelOf } from '../diagnosis/words'
import { outOfRange, PosixError } from '../errors'
import { sleepSync } from '../sleep-sync'
import { toInt32 } from '../validate'

export type { LockKind, LockWait } from '../diagnosis/locks'
export type { SystemCall } from '../diagnosis/system-calls'
export type { LockOwner } from '../diagnosis/threads-by-tid'

/** What a process does, and whether it ever will again. Plain data, fit for JSON. */
export interface Diagnosis {
  pid: number
  /** 'running': one of its threads is. 'ended': it waits to be waited for. */
  state: 'running' | 'waiting' | 'deadlocked' | 'stopped' | 'ended'
  /** True if it is proven that a thread waits for what can't come. */
  deadlocked: boolean
  /** All of it in a few sentences. */
  summary: string
  /** The main one first. */
  threads: ThreadDiagnosis[]
  /** What fork noted when it made this process; null: it didn't, or it may not be read. */
  fork: ForkEvidence | null
}

export interface ThreadDiagnosis {
  tid: number
  name: string
  /** As in proc_pid_status(5): R, S, D, T, t, Z, X, I. */
  state: string
  /** The system call it sits in; null: none, or `unreadable`. */
  syscall: SystemCall | null
  /** The error's name for which its system call can't be read: EPERM, EACCES; else null. */
  unreadable: string | null
  /** The function of the kernel it sleeps in; empty where the system doesn't tell. */
  wchan: string
  /** The functions it is in, the innermost first, as far as its stack tells without a debugger's tables. */
  functions: string[]
  /** What it waits for, if that is a lock. */
  lock: LockWait | null
  deadlocked: boolean
  /** What it does, in words. */
  detail: string
}

/** What fork noted. The tids are those that the processes have in their own pid namespaces. */
export interface ForkEvidence {
  parent: number
  /** Which threads the child kept. */
  threads: 'all' | 'caller'
  /** When, as an ISO 8601 date. */
  time: string
  /** The parent's threads; tidHere null: the child hasn't got it. At most 512. */
  threadsAtFork: { tid: number; name: string; tidHere: number | null }[]
  /** Locks that bear their owner's tid and were held; of `threads: 'all'` alone, at most 64. */
  heldLocks: { address: string; kind: 'mutex' | 'rwlock'; tid: number; tidHere: number }[]
}

/**
 * Tells why a process doesn't move: what each of its threads waits for, and whether that can ever come.
 *
 * @param pid of any process, this one included; most is told of children of `fork`
 * @returns see {@link Diagnosis}; `deadlocked` only where it is proven. What may not be read is told as such
 * @throws PosixError ESRCH: no such process; EPERM: it is hidden (hidepid=); ENOSYS: macOS, where no process may look
 *   into another
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE if `pid` is no int32 above 0
 *
 * Takes a tenth of a second, as it looks twice, and reads the names of functions. Nothing is stopped or changed. It
 * needs the rights of a debugger: to be root, or the same user where ptrace isn't restricted (a child's parent may
 * always). Platforms: Linux. Source: proc(5), futex(2).
 */
export function diagnose(pid: number): Diagnosis {
  if (toInt32(pid, 'pid') < 1) throw outOfRange('pid', '>= 1', pid)
  if (!tellsSystemCalls) throw new PosixError(-osConstants.errno.ENOSYS, 'diagnose')
  let found = examine(pid)
  // A child that is just being made notes what it is made of while it is looked at.
  for (let tries = 0; found.isNew && tries < 3; tries++) found = examine(pid)
  return found.diagnosis
}

function examine(pid: number): { diagnosis: Diagnosis; isNew: boolean } {
  const view = new ProcessView(pid)
  const record = readForkRecord(view)
  const first = lookAt(view, record)
  const reasons = first.some(mayBeStuck) ? lookAgain(view, record, first) : new Map<number, Reason>()
  const threads = first.map((seen) => toDiagnosis(view, seen, reasons.get(seen.thread.tid)))
  const kept = record?.kept ?? null
  const diagnosis = {
    pid,
    state: stateOf(threads),
    deadlocked: reasons.size > 0,
    summary: summaryOf(view, first, reasons, kept),
    threads,
    fork: record === null || kept === null ? null : toEvidence(record, kept),
  }
  return { diagnosis, isNew: record?.milliseconds !== readForkRecord(view)?.milliseconds }
}

function lookAt(view: ProcessView, record: RawForkRecord | null): SeenThread[] {
  const threads = view.threads()
  const byTid = new ThreadsByTid(view, threads, record)
  const functions = functionsOf(
    view,
    threads.flatMap(({ call }) => call ?? []),
  )
  return threads.map((thread) => {
    const own = thread.call === null ? [] : (functions.get(thread.call) ?? [])
    const lock = isFutex(thread.call) ? findLock(view, thread.call, own, byTid) : null
    return { thread, functions: own, lock }
  })
}

function isFutex(call: RawCall | null): call is RawCall {
  return call !== null && toSystemCall(call)?.name === 'futex'
}

function mayBeStuck({ thread, lock }: SeenThread): boolean {
  return thread.state === 'S' && lock !== null && !lock.timed
}

const msBetweenLooks = 30

/** The second look, of the locks alone: why which threads will never go on. */
function lookAgain(view: ProcessView, record: RawForkRecord | null, first: SeenThread[]): Map<number, Reason> {
  sleepSync(msBetweenLooks)
  const threads = view.threads()
  const byTid = new ThreadsByTid(view, threads, record)
  const unmoved = first.filter((seen) => {
    const thread = threads.find(({ tid }) => tid === seen.thread.tid)
    if (thread === undefined || !isFutex(thread.call)) return false
    return isUnmoved(seen, { ...seen, thread, lock: findLock(view, thread.call, seen.functions, byTid) })
  })
  // Who came in between may be who wakes the others.
  const isSameCrowd = threads.length === first.length
  return isSameCrowd ? findDeadlocks(first, unmoved) : new Map()
}

function toDiagnosis(view: ProcessView, seen: SeenThread, reason: Reason | undefined): ThreadDiagnosis {
  const { tid, name, state, call, unreadable, wchan }: ThreadView = seen.thread
  return {
    tid,
    name,
    state,
    syscall: call === null ? null : toSystemCall(call),
    unreadable,
    wchan,
    functions: seen.functions.slice(0, 8),
    lock: seen.lock === null ? null : withoutBytes(seen.lock),
    deadlocked: reason !== undefined,
    detail: describeThread(view, seen, reason),
  }
}

function withoutBytes({ bytes: _, ...lock }: NonNullable<SeenThread['lock']>): LockWait {
  return lock
}

function stateOf(threads: readonly ThreadDiagnosis[]): Diagnosis['state'] {
  if (threads.every(({ state }) => 'ZX'.includes(state))) return 'ended'
  if (threads.some(({ deadlocked }) => deadlocked)) return 'deadlocked'
  if (threads.some(({ state }) => state === 'R')) return 'running'
  return threads.some(({ state }) => 'Tt'.includes(state)) ? 'stopped' : 'waiting'
}

function toEvidence(record: RawForkRecord, kept: 'all' | 'caller'): ForkEvidence {
  return {
    parent: record.parent,
    threads: kept,
    time: new Date(record.milliseconds).toISOString(),
    threadsAtFork: record.threads.map(({ tid, name, tidHere }) => ({ tid, name, tidHere: tidHere || null })),
    heldLocks: record.locks.map((lock) => ({ ...lock, address: `0x${lock.address.toString(16)}` })),
  }
}

const mostTold = 3

function summaryOf(
  view: ProcessView,
  seen: readonly SeenThread[],
  reasons: Map<number, Reason>,
  kept: string | null,
): string {
  const process = `process ${view.pid} (${view.status['Name']})`
  const [main] = seen
  if (main === undefined || seen.every(({ thread }) => 'ZX'.includes(thread.state))) {
    return `${process} has ended; wait for it.`
  }
  const stuck = seen.filter(({ thread }) => reasons.has(thread.tid))
  const [worst] = stuck
  const sentences = (worst === undefined ? [main] : stuck.slice(0, mostTold)).map(
    (one) => `${labelOf(view, one.thread)} ${describeThread(view, one, reasons.get(one.thread.tid))}.`,
  )
  if (stuck.length > mostTold) sentences.push(`So it is with ${stuck.length - mostTold} more.`)
  if (worst === undefined) return `${process}: ${sentences.join(' ')}${othersWords(seen)}`
  const advice = adviceFor(view, worst, reasons.get(worst.thread.tid) as Reason, kept)
  return `${process} is deadlocked: ${sentences.join(' ')} ${advice}`
}

/** Which other threads run, when the main one doesn't. */
function othersWords([main, ...others]: readonly SeenThread[]): string {
  const running = others.filter(({ thread }) => thread.state === 'R')
  if (running.length === 0 || main?.thread.state === 'R') return ''
  return ` Of its other threads ${running.length} run${running.length === 1 ? 's' : ''}.`
}
