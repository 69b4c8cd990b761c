// Waiting for what other processes do with shared memory: by sleeping on a word of it, or by having a thread of the
// addon do so, for a promise. A wait that isn't over tries again now and then: the process that should have woken it
// may have been killed.
import { constants } from 'node:os'
import { onAbort, throwIfAborted, toAbortSignal } from '../abort'
import { type Attempt, binding, type SharedBlock, type WordWatch } from '../binding'
import { abortError, invalidArgType, outOfRange, PosixError } from '../errors'
import { longestTimer } from './longest-timer'

/** How long to wait: milliseconds, or those and a signal that gives it up. */
export type Patience = number | WaitOptions | undefined

export interface WaitOptions {
  /** Milliseconds at most; 0: not at all. Default: without end. */
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
}

/** A thing that can be waited for. */
export interface Waitable {
  readonly block: SharedBlock
  /** The word to sleep on; asked after each attempt. */
  readonly offset: number
  /** Whether it may come true without a change of the word: by a death. */
  readonly looks: boolean
  attempt(patience: number): Attempt
  /** Somebody waited and goes without: whoever was woken instead of another hands that on. */
  giveUp?(): void
}

const hasSlept = 1
const looksForDead = 2
const willNotSleep = 4

const busy = 2 ** 32

/** What an attempt found that has to wait while the word is so. */
export function busyWith(word: number): Attempt {
  return busy + word
}

/** Whether an attempt is to see if others live. */
export function looksForTheDead(patience: number): boolean {
  return (patience & looksForDead) !== 0
}

// Milliseconds between two tries without a wake-up.
const firstPause = 10
const longestPause = 500
// Where nothing can be watched each try is what finds a change.
const firstLook = 1
const longestLook = 16

export function toTimeout(value: unknown, name: string): number {
  if (value === undefined) return Number.POSITIVE_INFINITY
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (Number.isNaN(value)) throw outOfRange(name, 'a number', value)
  return Math.max(value, 0) // as Python has it
}

export function toPatience(value: unknown, name: string): { timeoutMs: number; signal: AbortSignal | undefined } {
  if (value === undefined || typeof value === 'number') return { timeoutMs: toTimeout(value, name), signal: undefined }
  const signal = toAbortSignal(value, name)
  return { timeoutMs: toTimeout((value as WaitOptions).timeoutMs, `${name}.timeoutMs`), signal }
}

/**
 * Blocks this thread until the attempt succeeds.
 *
 * @param wouldHang whether it can be proven that it never will
 * @returns what it found; undefined: the time is over
 * @throws PosixError EDEADLK
 */
export function waitSync(waitable: Waitable, timeoutMs: number, wouldHang = () => false): Attempt | undefined {
  const deadline = performance.now() + timeoutMs
  let patience = timeoutMs === 0 ? willNotSleep | looksForDead : 0
  let pause = firstPause
  for (;;) {
    const found = waitable.attempt(patience)
    if (found < busy) return found
    const left = deadline - performance.now()
    const isHopeless = left === Number.POSITIVE_INFINITY && wouldHang()
    if (left <= 0 || isHopeless) {
      if (timeoutMs > 0) waitable.giveUp?.()
      if (isHopeless) throw deadlock()
      return undefined
    }
    patience = sleep(waitable, found - busy, Math.min(pause, left)) ? hasSlept | looksForDead : hasSlept
    if ((patience & looksForDead) !== 0) pause = Math.min(pause * 2, longestPause)
  }
}

/** True if it slept for so long. */
function sleep({ block, offset }: Waitable, expected: number, milliseconds: number): boolean {
  const begin = performance.now()
  binding.waitForWord(block, offset, expected, Math.ceil(milliseconds))
  return performance.now() - begin >= milliseconds
}

/** EDEADLK, as of pthread_mutex_lock(3). */
function deadlock(): PosixError {
  return new PosixError(-constants.errno.EDEADLK, 'acquire')
}

/**
 * Waits without blocking.
 *
 * @returns what the attempt found; undefined: the time is over
 */
export async function waitAsync(
  waitable: Waitable,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<Attempt | undefined> {
  throwIfAborted(signal)
  const found = waitable.attempt(timeoutMs === 0 ? willNotSleep | looksForDead : 0)
  if (found < busy) return found
  if (timeoutMs === 0) return undefined
  return new Promise((resolve, reject) => {
    new PendingWait(waitable, resolve, reject).begin(found - busy, timeoutMs, signal)
  })
}

class PendingWait {
  readonly #waitable: Waitable
  readonly #resolve: (found: Attempt | undefined) => void
  readonly #reject: (error: unknown) => void
  #token: number | undefined
  #look: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  #pause = firstLook
  #forgetSignal = (): void => {}

  constructor(waitable: Waitable, resolve: (found: Attempt | undefined) => void, reject: (error: unknown) => void) {
    this.#waitable = waitable
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(expected: number, timeoutMs: number, signal: AbortSignal | undefined): void {
    pending.add(this)
    this.#forgetSignal = onAbort(signal, () => {
      this.end()
      this.#waitable.giveUp?.()
      this.#reject(abortError(signal as AbortSignal))
    })
    if (timeoutMs <= longestTimer) {
      this.#deadline = setTimeout(() => {
        if (this.tryAgain()) return
        this.end()
        this.#waitable.giveUp?.()
        this.#resolve(undefined)
      }, timeoutMs)
    }
    this.#watch(expected)
  }

  /** True if it is over. */
  tryAgain(): boolean {
    this.#stopWatching()
    try {
      const found = this.#waitable.attempt(hasSlept | looksForDead)
      if (found >= busy) {
        this.#watch(found - busy)
        return false
      }
      this.end()
      this.#resolve(found)
    } catch (error) {
      this.end()
      this.#reject(error)
    }
    return true
  }

  /** The addon has told its token, once. */
  told(): void {
    this.#token = undefined
    this.tryAgain()
  }

  end(): void {
    pending.delete(this)
    this.#forgetSignal()
    this.#stopWatching()
    clearTimeout(this.#deadline)
  }

  #watch(expected: number): void {
    const { block, offset, looks } = this.#waitable
    words ??= binding.onWords(tellWaits)
    const token = binding.watchWord(words, block, offset, expected, looks)
    if (token >= 0) {
      this.#token = token
      watched.set(token, this)
      return
    }
    this.#look = setTimeout(() => this.tryAgain(), this.#pause)
    this.#pause = Math.min(this.#pause * 2, longestLook)
  }

  #stopWatching(): void {
    clearTimeout(this.#look)
    if (this.#token === undefined) return
    watched.delete(this.#token)
    binding.unwatchWord(words as WordWatch, this.#token)
    this.#token = undefined
  }
}

let words: WordWatch | undefined
const watched = new Map<number, PendingWait>()
const pending = new Set<PendingWait>()

function tellWaits(tokens: readonly number[]): void {
  for (const token of tokens) {
    const wait = watched.get(token)
    watched.delete(token)
    wait?.told()
  }
}

/** In a child that runs nothing of its parent: none of these waits is its own. */
export function forgetSharedWaits(): void {
  for (const wait of pending) wait.end()
}
