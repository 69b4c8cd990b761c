// The items of one call, in chunks, read no sooner than they are wanted.

/** Items that go to a worker together. */
export interface Chunk {
  /** Which chunk of its call, from 0 on. */
  index: number
  /** Which item of its call the first one is, from 0 on. */
  first: number
  items: unknown[]
}

export type Items = Iterable<unknown> | AsyncIterable<unknown>

export class Chunks {
  readonly #size: number
  readonly #onMore: () => void
  #sync: Iterator<unknown> | undefined
  #async: AsyncIterator<unknown> | undefined
  #waiting: unknown[] = []
  #isReading = false
  #failure: { error: unknown } | undefined
  #isAtEnd = false
  #index = 0
  #first = 0
  readonly #total: number | undefined

  /**
   * @param size items of a chunk
   * @param onMore there may be a chunk, or the end, where there was none
   */
  constructor(items: Items, size: number, onMore: () => void) {
    this.#size = size
    this.#onMore = onMore
    if (Array.isArray(items)) this.#total = items.length
    if (Symbol.asyncIterator in items) this.#async = items[Symbol.asyncIterator]()
    else this.#sync = items[Symbol.iterator]()
  }

  /** True when every chunk has been taken. */
  get isAtEnd(): boolean {
    return this.#isAtEnd && this.#waiting.length === 0
  }

  /** Why reading ended before the end. */
  get failure(): { error: unknown } | undefined {
    return this.#failure
  }

  /** How many items there are; undefined: not all of them have been read. */
  get total(): number | undefined {
    return this.#total ?? (this.#isAtEnd ? this.#first + this.#waiting.length : undefined)
  }

  /** The next one; undefined: none now, or none any more. */
  take(): Chunk | undefined {
    if (this.#sync !== undefined) this.#readSync(this.#sync)
    else if (this.#async !== undefined) void this.#readAsync(this.#async)
    const isWhole = this.#waiting.length === this.#size || (this.#isAtEnd && this.#waiting.length > 0)
    if (!isWhole) return undefined
    const chunk = { index: this.#index, first: this.#first, items: this.#waiting }
    this.#index++
    this.#first += chunk.items.length
    this.#waiting = []
    return chunk
  }

  /** Reads no further, and tells the iterator so. */
  stop(): void {
    if (this.#isAtEnd) return
    this.#isAtEnd = true
    this.#waiting = []
    try {
      this.#sync?.return?.()
      void this.#async?.return?.().then(undefined, () => {})
    } catch {} // nobody wants to know any more
  }

  #readSync(iterator: Iterator<unknown>): void {
    try {
      while (!this.#isAtEnd && this.#waiting.length < this.#size) this.#note(iterator.next())
    } catch (error) {
      this.#fail(error)
    }
  }

  async #readAsync(iterator: AsyncIterator<unknown>): Promise<void> {
    if (this.#isReading || this.#isAtEnd || this.#waiting.length === this.#size) return
    this.#isReading = true
    try {
      while (!this.#isAtEnd && this.#waiting.length < this.#size) this.#note(await iterator.next())
    } catch (error) {
      this.#fail(error)
    }
    this.#isReading = false
    this.#onMore()
  }

  #note({ done, value }: IteratorResult<unknown>): void {
    if (this.#isAtEnd) return // stopped meanwhile
    if (done === true) this.#isAtEnd = true
    else this.#waiting.push(value)
  }

  #fail(error: unknown): void {
    if (!this.#isAtEnd) this.#failure = { error }
    this.#isAtEnd = true
  }
}
