// fork(2), and _exit(2), which a child needs more than its parent.
import { AtFork } from './at-fork'
import { binding } from './binding'
import { ForkHazardError, invalidArgType, invalidArgValue, outOfRange, PosixError } from './errors'
import { leaveWithoutThreads, mendState, prepareChildState } from './safety/child-state'
import { findHazards, type Hazard, type HazardId, type HazardReport, hazardIds, metHazard } from './safety/hazards'
import { debuggerSockets } from './safety/inspector'
import { listThreads, named } from './safety/threads'
import { toInt32, toOptions } from './validate'

export interface ForkOptions {
  /**
   * Which threads the child has. 'all': every one, at the same point of its work. 'caller': the calling one alone,
   * as POSIX has it. Default: 'all' where the platform can, else 'caller'.
   */
  threads?: 'all' | 'caller' | undefined
  /** What to do about hazards: refuse (the default), warn (process.emitWarning), or ignore. */
  hazards?: 'refuse' | 'warn' | 'ignore' | undefined
  /** Hazards that the caller has dealt with. */
  accept?: readonly HazardId[] | undefined
  /** Milliseconds to wait at most for thread-pool work in flight; default 1000. */
  drainMs?: number | undefined
}

type CheckedOptions = { [Key in keyof ForkOptions]-?: NonNullable<ForkOptions[Key]> }

/**
 * Makes a copy of this process: it returns twice.
 *
 * @param options see {@link ForkOptions}
 * @returns the child's pid in the parent, to be waited for; 0 in the child
 * @throws ForkHazardError (ERR_FORK_HAZARD) if the child would not be sound; `hazards` tells what, why and what to
 *   do. Nothing has happened then. A Worker can't fork (not-main-thread).
 * @throws PosixError EAGAIN, ENOMEM, EMFILE, ...: no process was made; `syscall` names the step
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE for bad options
 * @throws what a `before` of registerAtFork throws
 *
 * The child has V8's heap, an event loop of its own and its own process.pid. Timers, servers and sockets of the
 * parent go on in both. Descriptors share their offsets. Math.random and crypto draw different numbers in each.
 * Under 'caller' the child ends by _exit, exec, process.exit(), an empty event loop, an uncaught error or a signal;
 * work that needs another thread (garbage collection of a large heap, optimising compilers, Workers) may never end
 * there. Platforms: all. Source: fork(2), POSIX.
 */
export function fork(options?: ForkOptions): number {
  const [pid, hooks] = forkBetweenHooks(options, false)
  if (pid === 0) hooks.after(pid)
  return pid
}

/**
 * What every fork is, but for the child's hooks, which are left to the caller.
 *
 * @param isSilent true: the child's event loop forgets its parent's work
 */
export function forkBetweenHooks(options: ForkOptions | undefined, isSilent: boolean): [pid: number, hooks: AtFork] {
  const checkedOptions = toForkOptions(options)
  const hooks = new AtFork()
  hooks.before()
  let pid: number
  try {
    pid = copyProcess(checkedOptions, isSilent)
  } catch (error) {
    hooks.after(-1)
    throw error
  }
  if (pid !== 0) hooks.after(pid)
  return [pid, hooks]
}

function copyProcess(checkedOptions: CheckedOptions, isSilent: boolean): number {
  const { threads, drainMs } = checkedOptions
  refuseUnlessAccepted(checkedOptions)
  prepareChildState(threads)
  const shareRings = tolerates(checkedOptions, 'io-uring')
  const listeners = debuggerSockets()
  let [pid, tid, failedStep] = binding.fork(threads === 'all', drainMs, shareRings, listeners, isSilent)
  if (failedStep === 'uv_queue_work' && tolerates(checkedOptions, 'inflight-requests')) {
    if (checkedOptions.hazards === 'warn') warn([inflightRequests(checkedOptions)])
    ;[pid, tid, failedStep] = binding.fork(threads === 'all', -1, shareRings, listeners, isSilent)
  }
  if (failedStep !== null) throw forkError(pid, failedStep, tid, checkedOptions)
  const isChild = pid === 0
  mendState(threads, isChild)
  if (isChild && threads === 'caller') leaveWithoutThreads()
  return pid
}

/**
 * Tells what fork(options) would meet now, without forking.
 *
 * @param options as fork's
 * @returns the hazards, accepted or not, and the threads of this process
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE for bad options
 */
export function forkHazards(options?: ForkOptions): HazardReport {
  const { accept, threads: kept } = toForkOptions(options)
  const { hazards, threads } = findHazards(kept, 'all')
  return { safe: unaccepted(hazards, accept).length === 0, hazards, threads }
}

/**
 * Ends this process at once: no 'exit' handler, no flushing of streams.
 *
 * @param status the exit code; the parent sees its low 8 bits (int32)
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE if it is no int32. Source: _exit(2), POSIX.
 */
export function _exit(status: number): never {
  return binding._exit(toInt32(status, 'status'))
}

function unaccepted(hazards: HazardReport['hazards'], accept: readonly HazardId[]): HazardReport['hazards'] {
  return hazards.filter(({ id, severity }) => severity === 'fatal' || (severity === 'unsafe' && !accept.includes(id)))
}

function tolerates({ hazards, accept }: CheckedOptions, id: HazardId): boolean {
  return hazards !== 'refuse' || accept.includes(id)
}

function inflightRequests({ threads, drainMs }: CheckedOptions): Hazard {
  const consequence = threads === 'all' ? 'the child would do it, too' : 'the child would wait for it for ever'
  return metHazard('inflight-requests', `the thread pool is at work for longer than ${drainMs} ms, and ${consequence}`)
}

function forkError(errno: number, step: string, tid: number, options: CheckedOptions): Error {
  if (step === 'uv_queue_work') return new ForkHazardError([inflightRequests(options)])
  if (step === 'io_uring_setup') {
    const { code } = new PosixError(errno, step)
    return new ForkHazardError([metHazard('io-uring', `a ring of io_uring can't be made anew for the child (${code})`)])
  }
  return tid === 0 ? new PosixError(errno, step) : new ForkHazardError([runningThread(tid)])
}

/** A thread that didn't stop. */
function runningThread(tid: number): Hazard {
  const thread = listThreads().find((each) => each.tid === tid)
  const name = thread === undefined ? `tid ${tid}` : named(thread)
  return thread?.state === 'D'
    ? metHazard(
        'uninterruptible-io',
        `thread ${name} is in a system call that no signal interrupts, and can't be copied while it is`,
        tid,
      )
    : metHazard(
        'unstoppable-thread',
        `thread ${name} doesn't stop for the fork, and can't be copied while it runs`,
        tid,
      )
}

function refuseUnlessAccepted({ hazards: policy, accept, threads }: CheckedOptions): void {
  // A warning must come from here: a fork that goes on doesn't tell what it has met.
  const { hazards } = findHazards(threads, policy === 'warn' ? 'refusing' : 'unmet')
  const serious = unaccepted(hazards, accept)
  const refused = policy === 'refuse' ? serious : serious.filter(({ severity }) => severity === 'fatal')
  if (refused.length > 0) throw new ForkHazardError(refused)
  if (policy === 'warn') warn(serious)
}

function warn(hazards: readonly Hazard[]): void {
  for (const { id, detail, remedy } of hazards) {
    process.emitWarning(`${detail}. ${remedy}`, { type: 'ForkHazardWarning', code: id })
  }
}

function toOneOf<Choice extends string>(value: unknown, name: string, choices: readonly Choice[]): Choice | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  if (!choices.includes(value as Choice)) throw invalidArgValue(name, value, `must be one of ${choices.join(', ')}`)
  return value as Choice
}

function toForkOptions(options: unknown): CheckedOptions {
  const { threads, hazards, accept = [], drainMs = 1000 } = toOptions(options, 'options')
  if (!Array.isArray(accept)) throw invalidArgType('options.accept', 'an instance of Array', accept)
  for (const [index, id] of accept.entries()) toOneOf(id, `options.accept[${index}]`, hazardIds)
  if (typeof drainMs !== 'number') throw invalidArgType('options.drainMs', 'of type number', drainMs)
  if (!(drainMs >= 0)) throw outOfRange('options.drainMs', '>= 0', drainMs)
  return {
    threads:
      toOneOf(threads, 'options.threads', ['all', 'caller']) ??
      (binding.whyNotAllThreads() === null ? 'all' : 'caller'),
    hazards: toOneOf(hazards, 'options.hazards', ['refuse', 'warn', 'ignore']) ?? 'refuse',
    accept,
    drainMs,
  }
}
