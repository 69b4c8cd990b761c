// What can go wrong in a Pool, beside what its functions throw; and how an error of a worker's comes home.
import { inspect } from 'node:util'
import { deserialize, serialize } from 'node:v8'

/** A worker ended while it ran this task: it was killed, or the task itself called process.exit(). */
export class WorkerDiedError extends Error {
  override readonly name = 'WorkerDiedError'
  readonly code = 'ERR_WORKER_DIED'
  readonly pid: number
  /** Its exit code, or minus the number of the signal that ended it; Process.exitCode. */
  readonly exitCode: number
  /** The signal that ended it, or null. */
  readonly signal: NodeJS.Signals | number | null

  constructor(worker: { name: string; pid: number; exitCode: number; signal: NodeJS.Signals | number | null }) {
    const how = worker.signal === null ? `exited with ${worker.exitCode}` : `was ended by ${worker.signal}`
    super(`${worker.name} (process ${worker.pid}) ${how} while it ran this task`)
    this.pid = worker.pid
    this.exitCode = worker.exitCode
    this.signal = worker.signal
  }
}

/** What went wrong: the initializer failed; workers end before they are ready; terminate() ended the pool before the task was done. */
export type PoolErrorCode = 'ERR_POOL_INITIALIZER' | 'ERR_POOL_WORKERS' | 'ERR_POOL_TERMINATED'

/** A pool that can't do what it was asked for. `cause` is the initializer's error, or the last worker's WorkerDiedError. */
export class PoolError extends Error {
  override readonly name = 'PoolError'
  readonly code: PoolErrorCode

  constructor(code: PoolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The `cause` of an error that was thrown in a worker: its stack there. */
export class RemoteTraceback extends Error {
  override readonly name = 'RemoteTraceback'
  /** The worker's. */
  readonly pid: number

  constructor(pid: number, text: string, options?: ErrorOptions) {
    super(`in process ${pid}`, options)
    this.pid = pid
    this.stack = `${this.name}: ${this.message}\n${text.replace(/^/gm, '    ')}`
  }
}

/** Something that was thrown, on its way. */
export type Thrown =
  | { isError: false; value: unknown }
  | {
      isError: true
      name: string
      message: string
      text: string
      fields: Record<string, unknown>
      cause: unknown
      pid: number
    }

/** For a worker: never throws. */
export function toThrown(thrown: unknown): Thrown {
  if (thrown instanceof Error) {
    const { name, message, cause } = thrown
    const fields = Object.fromEntries(Object.entries(thrown).filter(([, value]) => isCloneable(value)))
    const text = textOf(thrown)
    const known = { isError: true, name: String(name), message: String(message), text, pid: process.pid } as const
    return { ...known, fields, cause: isCloneable(cause) ? cause : undefined }
  }
  return { isError: false, value: isCloneable(thrown) ? thrown : textOf(thrown) }
}

function textOf(thrown: unknown): string {
  try {
    return inspect(thrown)
  } catch {
    return 'an error that throws when it is looked at'
  }
}

export function isCloneable(value: unknown): boolean {
  try {
    deserialize(serialize(value))
    return true
  } catch {
    return false
  }
}

const known = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }

/**
 * For the pool: the error again, of its class where that is JavaScript's own.
 *
 * @param calledAt the stack of the pool's caller, without its first line
 */
export function fromThrown(thrown: Thrown, calledAt: string): unknown {
  if (!thrown.isError) return thrown.value
  const { name, message, text, fields, cause, pid } = thrown
  const traceback = new RemoteTraceback(pid, text, cause === undefined ? undefined : { cause })
  const error = new (known[name as keyof typeof known] ?? Error)(message, { cause: traceback })
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  error.stack = `${name}: ${message}${calledAt}`
  return Object.assign(error, fields)
}
