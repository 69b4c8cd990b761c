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
    exits ??= binding.onExits(settleEnded)
    const token = binding.watchExit(exits, isPidfd, id)
    if (token < 0) return false
    this.#token = token
    watched.set(token, (watched.get(token) ?? new Set()).add(this))
    return true
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
    const waits = watched.get(this.#token)
    waits?.delete(this)
    if (waits?.size === 0) {
      watched.delete(this.#token)
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

type AnyWait = Pick<PendingWait<unknown>, 'settle' | 'watch' | 'isWatchable' | 'needsLooks' | 'lookInstead'>

let exits: ExitWatch | undefined
/** By token: on macOS all that wait for one process have the same. */
const watched = new Map<number, Set<AnyWait>>()

/** The event loop tells of these tokens; null: this is the child of a fork, where nothing of this can be waited for. */
function settleEnded(tokens: readonly number[] | null): void {
  const ended = tokens === null ? [...watched.values()] : tokens.map((token) => watched.get(token) ?? [])
  for (const wait of ended.flatMap((waits) => [...waits])) if (!wait.settle()) wait.lookInstead()
}

/** In the order in which they are to be looked for. */
const lookedFor = new Set<AnyWait>()
let timer: NodeJS.Timeout | undefined
let pause = shortestPause

function lookLater(wait: AnyWait): void {
  lookedFor.add(wait)
  pause = shortestPause
  if (timer === undefined) timer = setTimeout(lookAround, pause)
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
