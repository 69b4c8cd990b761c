// A call that waits: until it is settled, its signal aborts, or its time is over.
import { onAbort } from '../abort'
import { abortError } from '../errors'
import { longestTimer } from './longest-timer'

export interface Limits {
  signal?: AbortSignal | undefined
  /** Milliseconds; Infinity: without end. */
  timeoutMs?: number | undefined
}

export class Pending<Result> {
  readonly promise: Promise<Result>
  #resolve!: (result: Result) => void
  #reject!: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #forgetSignal: () => void = () => {}

  /**
   * @param limits what may end it
   * @param onTimeout gives the result, or throws, when the time is over
   * @param onGivenUp takes it from wherever it waits
   */
  constructor(
    { signal, timeoutMs = Number.POSITIVE_INFINITY }: Limits,
    onTimeout: () => Result,
    onGivenUp: (pending: Pending<Result>) => void,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (signal !== undefined) {
      this.#forgetSignal = onAbort(signal, () => {
        onGivenUp(this)
        this.reject(abortError(signal))
      })
    }
    const start = performance.now()
    const wait = (): void => {
      const left = timeoutMs - (performance.now() - start)
      if (left > 0) {
        this.#timer = setTimeout(wait, Math.min(Math.ceil(left), longestTimer))
        return
      }
      onGivenUp(this)
      this.settle(onTimeout)
    }
    if (timeoutMs !== Number.POSITIVE_INFINITY) wait()
  }

  resolve(result: Result): void {
    this.#end()
    this.#resolve(result)
  }

  reject(error: unknown): void {
    this.#end()
    this.#reject(error)
  }

  /** Resolves with what this returns, or rejects with what it throws. */
  settle(call: () => Result): void {
    try {
      this.resolve(call())
    } catch (error) {
      this.reject(error)
    }
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#forgetSignal()
  }
}
