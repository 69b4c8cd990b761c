// Waits that are pending in this thread. None costs a thread: the event loop watches for a process's end by a
// descriptor (a pidfd, or one kqueue for all), and what can't be watched so is looked for now and then.
import { onAbort } from './abort'
import { binding, type ExitWatch } from './binding'
import { abortError } from './errors'

export interface Wait<Found> {
  /**
   * Asks the kernel without blocking; undefined: nothing yet. A pidfd that is waited for is given as a duplicate, as
   * its owner may close it meanwhile.
   */
  look(pidfd: number): Found | undefined
  /** The one process whose end this waits for, if it is one. */
  process?: { isPidfd: boolean; id: number } | undefined
  /** Whether something else may come that no descriptor tells of: a stop, or any child of several. */
  hasMore: boolean
  /** True: the event loop doesn't go on for this alone. */
  isQuiet?: boolean
}

// Looks begin each millisecond and come ever more seldom. One of them takes so many waits at most, as the rest of the
// program wants to run, and together they take a twentieth of the time at most.
const shortestPause = 1
const longestPause = 16
const waitsPerLook = 512
const share = 20

class PendingWait<Found> {
  readonly #wait: Wait<Found>
  readonly #resolve: (found: Found) => void
  readonly #reject: (error: unknown) => void
  #token: number | undefined
  /** False once a descriptor told of an end that couldn't be waited for: another process traces the child. */
  #mayWatch: boolean
  #forgetSignal = (): void => {}

  constructor(wait: Wait<Found>, resolve: (found: Found) => void, reject: (error: unknown) => void) {
    this.#wait = wait
    this.#resolve = resolve
    this.#reject = reject
    this.#mayWatch = wait.process !== undefined
  }

  begin(signal: AbortSignal | undefined): void {
    if (this.settle()) return
    this.#forgetSignal = onAbort(signal, () => {
      this.#end()
      this.#reject(abortError(signal as AbortSignal))
    })
    if (this.isWatchable) this.watch()
    if (this.needsLooks) lookLater(this)
  }

  /** Resolves or rejects if there is something to tell. */
  settle(): boolean {
    try {
      const found = this.#wait.look(this.#token ?? this.#wait.process?.id ?? -1)
      if (found === undefined) return false
      this.#end()
      this.#resolve(found)
    } catch (error) {
      this.#end()
      this.#reject(error)
    }
    return true
  }

  get isWatchable(): boolean {
    return this.#mayWatch && this.#token === undefined
  }

  /** Lets the event loop watch for the end. False if it can't. */
  watch(): boolean {
    const { isPidfd, id } = this.#wait.process as { isPidfd: boolean; id: number }
    const watch = this.#watch
    watch.exits ??= binding.onExits((tokens) => settleEnded(watch, tokens), !this.isQuiet)
    const token = binding.watchExit(watch.exits, isPidfd, id)
    if (token < 0) return false
    this.#token = token
    watch.waits.set(token, (watch.waits.get(token) ?? new Set()).add(this))
    return true
  }

  get isQuiet(): boolean {
    return this.#wait.isQuiet === true
  }

  get #watch(): Watch {
    return this.isQuiet ? quiet : loud
  }

  get needsLooks(): boolean {
    return this.#wait.hasMore || this.#token === undefined
  }

  /** The end was told, but there is nothing to be had yet. */
  lookInstead(): void {
    this.#mayWatch = false
    this.#unwatch()
    lookLater(this)
  }

  #unwatch(): void {
    if (this.#token === undefined) return
    const { exits, waits } = this.#watch
    const ofToken = waits.get(this.#token)
    ofToken?.delete(this)
    if (ofToken?.size === 0) {
      waits.delete(this.#token)
      binding.unwatchExit(exits as ExitWatch, this.#token)
    }
    this.#token = undefined
  }

  #end(): void {
    this.#forgetSignal()
    this.#unwatch()
    lookedFor.delete(this)
  }
}

type AnyWait = Pick<PendingWait<unknown>, 'settle' | 'watch' | 'isWatchable' | 'isQuiet' | 'needsLooks' | 'lookInstead'>

interface Watch {
  exits?: ExitWatch
  /** By token: on macOS all that wait for one process have the same. */
  waits: Map<number, Set<AnyWait>>
}

/** One keeps the event loop going while it watches, the other doesn't. */
const loud: Watch = { waits: new Map() }
const quiet: Watch = { waits: new Map() }

/** In the child of a fork that has nothing to do with what its parent waits for. */
export function forgetWaits(): void {
  loud.waits.clear()
  quiet.waits.clear()
  lookedFor.clear()
  timer = undefined
}

/** The event loop tells of these tokens; null: this is the child of a fork, where nothing of this can be waited for. */
function settleEnded({ waits }: Watch, tokens: readonly number[] | null): void {
  const ended = tokens === null ? [...waits.values()] : tokens.map((token) => waits.get(token) ?? [])
  for (const wait of ended.flatMap((ofToken) => [...ofToken])) if (!wait.settle()) wait.lookInstead()
}

/** In the order in which they are to be looked for. */
const lookedFor = new Set<AnyWait>()
let timer: NodeJS.Timeout | undefined
let pause = shortestPause

function lookLater(wait: AnyWait): void {
  lookedFor.add(wait)
  pause = shortestPause
  if (timer === undefined) timer = setTimeout(lookAround, pause)
  refTimer()
}

function refTimer(): void {
  for (const wait of lookedFor) {
    if (wait.isQuiet) continue
    timer?.ref()
    return
  }
  timer?.unref()
}

function lookAround(): void {
  timer = undefined
  const begin = performance.now()
  pause = Math.min(pause * 2, longestPause)
  let canWatch = true
  let hasFound = false
  for (const wait of firstOf(lookedFor, waitsPerLook)) {
    lookedFor.delete(wait)
    if (wait.settle()) {
      hasFound = true
      continue
    }
    // There may be a descriptor for it by now.
    if (wait.isWatchable && canWatch) canWatch = wait.watch()
    if (wait.needsLooks) lookedFor.add(wait)
  }
  if (hasFound) pause = shortestPause
  // Where nothing came to light the look was for nothing.
  const costs = hasFound ? 0 : (performance.now() - begin) * share
  if (lookedFor.size > 0) timer = setTimeout(lookAround, Math.max(pause, costs))
  refTimer()
}

function firstOf<Item>(items: Iterable<Item>, count: number): Item[] {
  const first: Item[] = []
  for (const item of items) {
    if (first.length === count) break
    first.push(item)
  }
  return first
}

/** Waits without blocking; an aborted wait has taken nothing. */
export function found<Found>(wait: Wait<Found>, signal: AbortSignal | undefined): Promise<Found> {
  return new Promise((resolve, reject) => {
    new PendingWait(wait, resolve, reject).begin(signal)
  })
}
