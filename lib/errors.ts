// Every error that this package throws.
import { constants as osConstants } from 'node:os'
import { getSystemErrorMap, inspect } from 'node:util'
import { binding } from './binding'
import type { Hazard } from './safety/hazards'

/** A system call that failed. `message` reads as Node's own: `ENOENT: no such file or directory, execve '/x'`. */
export class PosixError extends Error {
  override readonly name = 'PosixError'
  /** The error's name, such as 'ENOENT'. */
  readonly code: string
  /** The error's number, negative as everywhere in Node. */
  readonly errno: number
  /** The bare name of the call that failed, such as 'execve' or 'dup2'. */
  readonly syscall: string
  /** The path that the call was about, where there is one. */
  declare readonly path?: string

  constructor(errno: number, syscall: string, path?: string) {
    const [code, words] = describeErrno(errno)
    super(`${code}: ${words}, ${syscall}${path === undefined ? '' : ` '${path}'`}`)
    this.code = code
    this.errno = errno
    this.syscall = syscall
    if (path !== undefined) this.path = path
  }
}

/** A fork that was refused, and why. */
export class ForkHazardError extends Error {
  override readonly name = 'ForkHazardError'
  readonly code = 'ERR_FORK_HAZARD'
  /** The hazards that nobody accepted. */
  readonly hazards: readonly Hazard[]

  constructor(hazards: readonly Hazard[]) {
    super(`fork refused, as the child would not be sound:\n${hazards.map(explained).join('\n')}`)
    this.hazards = hazards
  }
}

function explained({ id, severity, detail, remedy }: Hazard): string {
  const override = severity === 'fatal' ? '' : ` To fork all the same, pass accept: ['${id}'].`
  return `  ${id} (${severity}): ${detail}.\n    ${remedy}${override} See docs/hazards.md#${id}`
}

/**
 * Passes a result on, or throws what it tells.
 *
 * @param result what a native call returned: >= 0, or a negative error number
 * @param syscall the call's name
 * @param path what it was about
 */
export function checked(result: number, syscall: string, path?: string | Uint8Array): number {
  if (result < 0) throw new PosixError(result, syscall, path === undefined ? undefined : toText(path))
  return result
}

export function toText(path: string | Uint8Array): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString()
}

let errorMap: Map<number, [code: string, words: string]> | undefined

function describeErrno(errno: number): [code: string, words: string] {
  errorMap ??= getSystemErrorMap() // which makes a new one each time
  const known = errorMap.get(errno)
  if (known !== undefined) return known
  // libuv has no name for ECHILD, ENOEXEC and others that it never meets.
  const [code] = Object.entries(osConstants.errno).find(([, value]) => value === -errno) ?? [`E${-errno}`]
  const words = binding.strerror(-errno)
  return [code, words.charAt(0).toLowerCase() + words.slice(1)]
}

type Coded<Base extends Error> = Base & { code: string }

function withCode<Base extends Error>(error: Base, code: string): Coded<Base> {
  // As Node does: the stack tells the code, the name stays the class's.
  error.stack = error.stack?.replace(error.name, `${error.name} [${code}]`) ?? ''
  return Object.assign(error, { code })
}

function received(value: unknown): string {
  if (value === null || value === undefined) return ` Received ${value}`
  if (typeof value === 'function') return ` Received function ${value.name}`
  if (typeof value === 'object') {
    return value.constructor?.name
      ? ` Received an instance of ${value.constructor.name}`
      : ` Received ${inspect(value, { depth: -1 })}`
  }
  return ` Received type ${typeof value} (${inspect(value).slice(0, 28)})`
}

function noun(name: string): string {
  return name.includes('.') || name.includes('[') ? 'property' : 'argument'
}

/** Node's ERR_INVALID_ARG_TYPE. `expected` reads as in "must be of type string". */
export function invalidArgType(name: string, expected: string, value: unknown): Coded<TypeError> {
  return withCode(
    new TypeError(`The "${name}" ${noun(name)} must be ${expected}.${received(value)}`),
    'ERR_INVALID_ARG_TYPE',
  )
}

/** Node's ERR_INVALID_ARG_VALUE. */
export function invalidArgValue(name: string, value: unknown, reason: string): Coded<TypeError> {
  return withCode(
    new TypeError(`The ${noun(name)} '${name}' ${reason}. Received ${inspect(value).slice(0, 128)}`),
    'ERR_INVALID_ARG_VALUE',
  )
}

/** Node's ERR_OUT_OF_RANGE. */
export function outOfRange(name: string, range: string, value: unknown): Coded<RangeError> {
  return withCode(
    new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`),
    'ERR_OUT_OF_RANGE',
  )
}

/** Node's AbortError; its cause is the signal's reason. */
export function abortError(signal: AbortSignal): Coded<Error> {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  error.name = 'AbortError'
  return Object.assign(error, { code: 'ABORT_ERR' })
}

/** Node's ERR_WORKER_UNSUPPORTED_OPERATION. */
export function workerUnsupported(call: string): Coded<TypeError> {
  return withCode(new TypeError(`${call}() is not supported in workers`), 'ERR_WORKER_UNSUPPORTED_OPERATION')
}

/** Node's ERR_INVALID_STATE. */
export function invalidState(reason: string): Coded<Error> {
  return withCode(new Error(`Invalid state: ${reason}`), 'ERR_INVALID_STATE')
}
