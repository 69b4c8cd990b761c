// The functions that a pool is asked to call, by number.
import { findExport } from './find-export'
import type { ExportedFunction } from './launcher'

export type AnyFunction = (...args: never[]) => unknown

interface Held {
  fn: AnyFunction
  users: number
}

export class PoolFunctions {
  /** Those in use. A worker that is forked knows what is here then, by its copy. */
  readonly #held = new Map<number, Held>()
  readonly #ids = new WeakMap<AnyFunction, number>()
  readonly #exports = new WeakMap<AnyFunction, ExportedFunction>()
  #last = 0

  /** From now on new workers know this function. @returns its number, the same each time */
  hold(fn: AnyFunction): number {
    const id = this.#ids.get(fn) ?? ++this.#last
    this.#ids.set(fn, id)
    const users = this.#held.get(id)?.users ?? 0
    this.#held.set(id, { fn, users: users + 1 })
    return id
  }

  /** Undoes one hold. */
  release(id: number): void {
    const held = this.#held.get(id)
    if (held !== undefined && --held.users === 0) this.#held.delete(id)
  }

  /** The numbers of all that are in use. */
  ids(): ReadonlySet<number> {
    return new Set(this.#held.keys())
  }

  functionOf(id: number): AnyFunction {
    return (this.#held.get(id) as Held).fn
  }

  /**
   * For a worker that is no copy of this process.
   *
   * @param name what the caller knows it by
   * @throws ERR_INVALID_ARG_VALUE: no module exports it
   */
  exportOf(fn: AnyFunction, name: string): ExportedFunction {
    const found = this.#exports.get(fn) ?? findExport(fn, name)
    this.#exports.set(fn, found)
    return found
  }
}
