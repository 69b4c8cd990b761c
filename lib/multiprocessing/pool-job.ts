// One call of a pool's, such as map: chunks to be run, and what becomes of their results.
import { onAbort } from '../abort'
import { abortError } from '../errors'
import { type Chunk, Chunks, type Items } from './pool-chunks'
import { fromThrown } from './pool-errors'
import type { TaskResult } from './pool-protocol'

/** How far a call has come. */
export interface Progress {
  /** Items whose results have come. */
  done: number
  /** All items; undefined as long as they haven't all been read. */
  total: number | undefined
}

/** Takes results. */
export interface Sink {
  /** Whether another chunk may be begun while so many are under way. */
  wantsMore(underWay: number): boolean
  /** `errors`: by the index in `values`. False: no other result is wanted. */
  accept(chunk: Chunk, values: readonly unknown[], errors: ReadonlyMap<number, unknown>): boolean
  /** All has come. */
  end(): void
  fail(error: unknown): void
}

export interface JobPlan {
  functionId: number
  spreads: boolean
  items: Items
  /** Items of a chunk. */
  chunksize: number
  sink: Sink
  signal?: AbortSignal | undefined
  onProgress?: ((progress: Progress) => void) | undefined
  /** See fromThrown. */
  calledAt: string
}

export class Job {
  readonly functionId: number
  readonly spreads: boolean
  readonly #chunks: Chunks
  readonly #sink: Sink
  readonly #plan: JobPlan
  readonly #onOver: (job: Job) => void
  readonly #forgetSignal: () => void
  #underWay = 0
  #done = 0
  #isOver = false

  /**
   * @param onMore there may be a chunk to take
   * @param onOver nothing more is to be taken or to come
   */
  constructor(plan: JobPlan, onMore: () => void, onOver: (job: Job) => void) {
    this.functionId = plan.functionId
    this.spreads = plan.spreads
    this.#plan = plan
    this.#sink = plan.sink
    this.#onOver = onOver
    this.#chunks = new Chunks(plan.items, plan.chunksize, onMore)
    const { signal } = plan
    this.#forgetSignal = onAbort(signal, () => this.fail(abortError(signal as AbortSignal)))
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The next chunk to be run; undefined: none now. */
  take(): Chunk | undefined {
    if (this.#isOver || !this.#sink.wantsMore(this.#underWay)) return undefined
    const chunk = this.#chunks.take()
    if (chunk !== undefined) this.#underWay++
    else this.#endIfDone()
    return chunk
  }

  settle(chunk: Chunk, { values, thrown }: TaskResult): void {
    const errors = new Map<number, unknown>()
    for (const [index, each] of thrown) errors.set(index, fromThrown(each, this.#plan.calledAt))
    this.#accept(chunk, values, errors)
  }

  /** Nothing will come of this chunk but an error for each of its items. */
  failChunk(chunk: Chunk, error: unknown): void {
    const errors = new Map(chunk.items.map((_, index) => [index, error]))
    this.#accept(chunk, new Array(chunk.items.length).fill(undefined), errors)
  }

  /** No more of it is begun, and what still comes is of no use. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#sink.fail(error)
    this.stop()
  }

  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#forgetSignal()
    this.#chunks.stop()
    this.#onOver(this)
  }

  #accept(chunk: Chunk, values: readonly unknown[], errors: ReadonlyMap<number, unknown>): void {
    if (this.#isOver) return
    this.#underWay--
    this.#done += chunk.items.length
    if (this.#sink.accept(chunk, values, errors)) {
      this.#tellProgress()
      this.#endIfDone()
    } else {
      this.stop()
    }
  }

  #tellProgress(): void {
    const { onProgress } = this.#plan
    if (onProgress === undefined) return
    try {
      onProgress({ done: this.#done, total: this.#chunks.total })
    } catch (error) {
      this.fail(error)
    }
  }

  #endIfDone(): void {
    if (this.#isOver || this.#underWay > 0 || !this.#chunks.isAtEnd) return
    const { failure } = this.#chunks
    if (failure === undefined) this.#sink.end()
    else this.#sink.fail(failure.error)
    this.stop()
  }
}
