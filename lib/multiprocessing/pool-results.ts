// What becomes of a call's results: a promise of all of them, or an iterator.
import type { Chunk } from './pool-chunks'
import type { Sink } from './pool-job'

/** All results, in the order of their items; or the first error that came. */
export class AllResults implements Sink {
  readonly promise: Promise<unknown[]>
  #resolve!: (results: unknown[]) => void
  #reject!: (error: unknown) => void
  readonly #parts: (readonly unknown[])[] = []

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  wantsMore(): boolean {
    return true
  }

  accept({ index }: Chunk, values: readonly unknown[], errors: ReadonlyMap<number, unknown>): boolean {
    for (const error of errors.values()) {
      this.#reject(error)
      return false
    }
    this.#parts[index] = values
    return true
  }

  end(): void {
    const results: unknown[] = []
    // Not flat(), which takes longer than many a worker.
    for (const part of this.#parts) for (const result of part) results.push(result)
    this.#resolve(results)
  }

  fail(error: unknown): void {
    this.#reject(error)
  }
}

type Outcome = { value: unknown } | { error: unknown }

interface Asking {
  resolve(result: IteratorResult<unknown, undefined>): void
  reject(error: unknown): void
}

/** Results one by one: in the order of their items, or as they come. An error is one item's, and others follow. */
export class ResultIterator implements Sink, AsyncIterableIterator<unknown, undefined> {
  readonly #isOrdered: boolean
  readonly #limit: number
  readonly #outcomes: Outcome[][] = []
  /** Chunks that came before their turn. */
  readonly #early = new Map<number, Outcome[]>()
  readonly #asking: Asking[] = []
  #turn = 0
  #isAtEnd = false
  onTaken: () => void = () => {}
  onLeft: () => void = () => {}

  /** @param limit how many chunks may be under way, or wait to be taken */
  constructor(isOrdered: boolean, limit: number) {
    this.#isOrdered = isOrdered
    this.#limit = limit
  }

  wantsMore(underWay: number): boolean {
    return underWay + this.#early.size + this.#outcomes.length < this.#limit
  }

  accept({ index }: Chunk, values: readonly unknown[], errors: ReadonlyMap<number, unknown>): boolean {
    const outcomes = values.map((value, at) => (errors.has(at) ? { error: errors.get(at) } : { value }))
    if (this.#isOrdered) this.#early.set(index, outcomes)
    else this.#outcomes.push(outcomes)
    for (;;) {
      const next = this.#early.get(this.#turn)
      if (next === undefined) break
      this.#early.delete(this.#turn++)
      this.#outcomes.push(next)
    }
    this.#answer()
    return true
  }

  end(): void {
    this.#isAtEnd = true
    this.#answer()
  }

  /** What has come can still be taken; then the error, once. */
  fail(error: unknown): void {
    this.#outcomes.push([{ error }])
    this.end()
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return new Promise((resolve, reject) => {
      this.#asking.push({ resolve, reject })
      this.#answer()
      this.onTaken()
    })
  }

  /** Begins no more of the call, and forgets what has come. */
  async return(): Promise<IteratorResult<unknown, undefined>> {
    this.#outcomes.length = 0
    this.#early.clear()
    this.end()
    this.onLeft()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #answer(): void {
    while (this.#asking.length > 0) {
      const outcome = this.#takeOutcome()
      if (outcome === undefined && !this.#isAtEnd) return
      const { resolve, reject } = this.#asking.shift() as Asking
      if (outcome === undefined) resolve({ done: true, value: undefined })
      else if ('error' in outcome) reject(outcome.error)
      else resolve({ done: false, value: outcome.value })
    }
  }

  #takeOutcome(): Outcome | undefined {
    const [chunk] = this.#outcomes
    const outcome = chunk?.shift()
    if (chunk?.length === 0) this.#outcomes.shift()
    return outcome
  }
}
