// Arguments, checked before anything happens. Each function returns what the native side takes.
import { constants as osConstants } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { constants } from './constants'
import { invalidArgType, invalidArgValue, outOfRange } from './errors'

/** A path or a string for a program: UTF-8, or a Buffer's bytes as they are. No NUL byte. */
export type Bytes = string | Buffer

/** An environment: names with values (undefined: left out), or a list of `NAME=value`. */
export type Env = Readonly<Record<string, string | undefined>> | readonly Bytes[]

/** A signal by name or number. */
export type Signal = NodeJS.Signals | number

const int32Range = '>= -2147483648 && <= 2147483647'

export function toInt32(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value !== (value | 0)) throw outOfRange(name, int32Range, value)
  return value
}

export function toBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value)
  return value
}

export function toFunction<Callable>(value: Callable, name: string): Callable {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value)
  return value
}

export function toBytes(value: unknown, name: string): Bytes {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw invalidArgValue(name, value, 'must be a string without null bytes')
    return value
  }
  if (!(value instanceof Uint8Array)) {
    throw invalidArgType(name, 'of type string or an instance of Buffer', value)
  }
  if (value.includes(0)) throw invalidArgValue(name, value, 'must be a Buffer without null bytes')
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Bytes of any value, for a file or a socket. */
export function toData(value: unknown, name: string): string | Buffer {
  if (typeof value === 'string') return value
  if (!(value instanceof Uint8Array)) throw invalidArgType(name, 'of type string or an instance of Buffer', value)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

export function toPath(value: unknown, name: string): Bytes {
  return toBytes(value, name)
}

/** As Python has it, a program gets at least its own name. */
export function toArgv(value: unknown, name: string): Bytes[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value)
  const argv = Array.from(value as unknown[], (item, index) => toBytes(item, `${name}[${index}]`))
  if (argv.length === 0) throw invalidArgValue(name, value, 'must not be empty')
  if (argv[0]?.length === 0) throw invalidArgValue(`${name}[0]`, argv[0], 'must not be empty')
  return argv
}

// What this thread found at its start. In the main thread it is a window on environ(7).
const processEnv = process.env

/**
 * An environment as a list of `NAME=value`, or null for this process's own: libc's copy is exact, where
 * process.env has lost bytes that aren't UTF-8.
 */
export function toEnv(value: unknown, name: string): Bytes[] | null {
  const isProcessEnv = value === undefined || value === process.env
  if (isProcessEnv && isMainThread && process.env === processEnv) return null
  const env = value === undefined ? process.env : value
  if (Array.isArray(env)) return Array.from(env as unknown[], (item, index) => toAssignment(item, `${name}[${index}]`))
  if (typeof env !== 'object' || env === null) throw invalidArgType(name, 'of type object', env)
  return Object.entries(env).flatMap(([key, item]: [string, unknown]) => {
    if (item === undefined) return []
    if (key === '' || key.includes('=') || key.includes('\0')) {
      throw invalidArgValue(name, key, "must have names that are not empty and hold no '=' or null byte")
    }
    if (typeof item !== 'string') throw invalidArgType(`${name}.${key}`, 'of type string', item)
    return [toBytes(`${key}=${item}`, `${name}.${key}`)]
  })
}

function toAssignment(value: unknown, name: string): Bytes {
  const bytes = toBytes(value, name)
  if (bytes.indexOf('=') < 1) throw invalidArgValue(name, value, 'must have the form NAME=value')
  return bytes
}

/** A signal for the kernel to judge: any int32 passes, as kill(2) itself says which it refuses. */
export function toSignal(value: unknown, name: string): number {
  if (typeof value === 'string') {
    const number = (osConstants.signals as Record<string, number | undefined>)[value]
    if (number === undefined) throw invalidArgValue(name, value, 'must be a known signal')
    return number
  }
  if (typeof value !== 'number') throw invalidArgType(name, 'of type string or number', value)
  return toInt32(value, name)
}

/** Signals for a set, where only real ones have a place. */
export function toSignals(value: unknown, name: string): number[] {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
    throw invalidArgType(name, 'an iterable of signals', value)
  }
  const highest = constants.NSIG - 1
  return Array.from(value as Iterable<unknown>, (item, index) => {
    const signal = toSignal(item, `${name}[${index}]`)
    if (signal < 1 || signal > highest) throw outOfRange(`${name}[${index}]`, `>= 1 && <= ${highest}`, item)
    return signal
  })
}

/** An object of options: undefined stands for none. */
export function toOptions(value: unknown, name: string): Record<string, unknown> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType(name, 'of type object', value)
  }
  return value as Record<string, unknown>
}

/** A time in milliseconds, 0 or more; Infinity: without end. */
export function toMilliseconds(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!(value >= 0)) throw outOfRange(name, '>= 0', value)
  return value
}

/** A list of descriptors. */
export function toFds(value: unknown, name: string, most: number): number[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value)
  const fds = Array.from(value as unknown[], (fd, index) => toInt32(fd, `${name}[${index}]`))
  if (fds.length > most) throw outOfRange(`${name}.length`, `<= ${most}`, fds.length)
  return fds
}
