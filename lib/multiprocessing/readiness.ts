// The event loop's watch of a descriptor, as one process has it: what waits in a parent waits in no Process of its.
import { binding, type RawReadiness } from '../binding'
import { checked } from '../errors'

export const READABLE = 1
export const WRITABLE = 2

export class Readiness {
  readonly #fd: number
  readonly #onReady: (events: number) => void
  readonly #onForgotten: () => void
  #raw: RawReadiness | undefined
  #events = 0
  #keepsLoop = true

  /**
   * @param fd a socket or pipe; its owner closes it, after this
   * @param onReady gets what has come; 0: an error, which the next call on the descriptor tells
   * @param onForgotten in a Process that inherits this: whatever waited here waits in the parent alone
   */
  constructor(fd: number, onReady: (events: number) => void, onForgotten: () => void) {
    this.#fd = fd
    this.#onReady = onReady
    this.#onForgotten = onForgotten
  }

  /** Watches for these, and for nothing else; 0: for nothing. The event loop goes on for it, unless told otherwise. */
  want(events: number): void {
    if (events === this.#events) return
    const raw = this.#raw ?? this.#open()
    checked(binding.watchReady(raw, events), 'poll')
    this.#events = events
  }

  /** Whether the event loop goes on for what is wanted. */
  set keepsLoop(keeps: boolean) {
    this.#keepsLoop = keeps
    if (this.#raw !== undefined) binding.referenceReady(this.#raw, keeps)
  }

  close(): void {
    all.delete(this)
    if (this.#raw !== undefined) binding.closeReady(this.#raw)
    this.#raw = undefined
    this.#events = 0
  }

  forget(): void {
    this.close()
    this.#onForgotten()
  }

  #open(): RawReadiness {
    const [failure, raw] = binding.onReady(this.#fd, (events) => {
      if (events === 0) this.#events = 0
      this.#onReady(events)
    })
    checked(failure, 'poll')
    if (!this.#keepsLoop) binding.referenceReady(raw, false)
    this.#raw = raw
    all.add(this)
    return raw
  }
}

const all = new Set<Readiness>()

/** In a Process that begins: its parent's waits are none of its own. */
export function forgetReadiness(): void {
  for (const readiness of [...all]) readiness.forget()
}
