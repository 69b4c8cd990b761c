// The children that this process has started and not yet seen to their end. Each is reaped as soon as it has ended,
// whether or not anybody asks; none is ever taken by a wait of the program's.
import { constants } from 'node:os'
import { binding } from '../binding'
import { PosixError } from '../errors'
import { found } from '../exit-watch'
import { sleepSync } from '../sleep-sync'
import { waitstatusToExitcode } from '../status'
import type { Process } from './process'

/** A child of another process, which tells of it. */
export interface Life {
  /** The exit code, as {@link Child.poll} has it. */
  poll(): number | undefined
  /** Resolves when there is one. */
  readonly ended: Promise<unknown>
  signal(signal: number): void
}

/** What is told of a child that somebody else has reaped, as the shell and asyncio do. */
export const unknownExitCode = 255

/** After so long a daemon that doesn't heed SIGTERM is killed, when this process ends. */
const graceMs = 1000

export class Child {
  readonly pid: number
  readonly daemon: boolean
  /** The Process that it is, or whatever else has started it. */
  readonly owner: Process | undefined
  /** Resolves with the exit code. */
  readonly ended: Promise<number>
  readonly #life: Life | undefined
  #exitCode: number | undefined

  constructor(pid: number, daemon: boolean, owner?: Process, life?: Life) {
    this.pid = pid
    this.daemon = daemon
    this.owner = owner
    this.#life = life
    if (life === undefined) binding.keepChild(pid)
    live.add(this)
    const look = () => this.poll()
    const letGo = daemon ? () => {} : holdLoop()
    this.ended =
      life === undefined
        ? found({ look, process: { isPidfd: false, id: pid }, hasMore: false, isQuiet: true }, undefined)
        : life.ended.then(() => this.poll() ?? unknownExitCode)
    void this.ended.then(letGo)
    if (daemon) endDaemonsAtExit()
  }

  /** The exit code, minus the signal's number if it was killed; undefined: it runs. */
  poll(): number | undefined {
    if (this.#exitCode !== undefined) return this.#exitCode
    this.#exitCode = this.#life === undefined ? reap(this.pid) : this.#life.poll()
    if (this.#exitCode !== undefined) live.delete(this)
    return this.#exitCode
  }

  /** Nothing happens if it has ended: its pid can't be another's before it is reaped. */
  signal(signal: number): void {
    if (this.poll() !== undefined) return
    if (this.#life !== undefined) {
      this.#life.signal(signal)
      return
    }
    const failure = binding.kill(this.pid, signal)
    // A child that has changed its user can't be reached; one that ends in between is what was wanted.
    if (failure < 0 && failure !== -constants.errno.ESRCH) throw new PosixError(failure, 'kill')
  }
}

function reap(child: number): number | undefined {
  const [pid, status] = binding.reapKept(child)
  if (pid === 0) return undefined
  return pid < 0 ? unknownExitCode : waitstatusToExitcode(status)
}

const live = new Set<Child>()

/** Those that run, the first started first. */
export function liveChildren(): Child[] {
  return [...live].filter((child) => child.poll() === undefined)
}

/** In a forked child, which has none of its parent's. */
export function forgetChildren(): void {
  live.clear()
  endsDaemons = false
  holds = 0
  beat = undefined
}

let holds = 0
let beat: NodeJS.Timeout | undefined

/** Keeps the event loop going until what is returned is called. */
export function holdLoop(): () => void {
  holds++
  beat ??= setInterval(() => {}, 2 ** 31 - 1)
  let isHeld = true
  return () => {
    if (!isHeld) return
    isHeld = false
    if (--holds > 0) return
    clearInterval(beat)
    beat = undefined
  }
}

let endsDaemons = false

function endDaemonsAtExit(): void {
  if (endsDaemons) return
  endsDaemons = true
  process.on('exit', endDaemons)
}

/** Python's order: all are told to end, then waited for. Nothing else can be done any more, so this may block. */
export function endDaemons(): void {
  const daemons = liveChildren().filter(({ daemon }) => daemon)
  for (const daemon of daemons) trySignal(daemon, constants.signals.SIGTERM)
  const deadline = performance.now() + graceMs
  while (daemons.some((daemon) => daemon.poll() === undefined)) {
    if (performance.now() > deadline) for (const daemon of daemons) trySignal(daemon, constants.signals.SIGKILL)
    sleepSync(2)
  }
}

function trySignal(child: Child, signal: number): void {
  try {
    child.signal(signal)
  } catch {} // it has changed its user: it ends with us all the same
}
