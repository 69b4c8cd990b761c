// getrlimit(2), setrlimit(2), prlimit(2).
import { constants as osConstants } from 'node:os'
import { binding, type RawLimit } from './binding'
import { constants } from './constants'
import { checked, invalidArgType, invalidArgValue, outOfRange } from './errors'
import { toInt32 } from './validate'

/**
 * A resource: RLIMIT_NOFILE or another of the constants, its name, or the name without RLIMIT_, in small letters as a
 * shell's ulimit might say.
 */
export type Resource = number | Uppercase<`rlimit_${ResourceName}`> | ResourceName

export type ResourceName =
  | 'as'
  | 'core'
  | 'cpu'
  | 'data'
  | 'fsize'
  | 'locks'
  | 'memlock'
  | 'msgqueue'
  | 'nice'
  | 'nofile'
  | 'nproc'
  | 'rss'
  | 'rtprio'
  | 'rttime'
  | 'sigpending'
  | 'stack'

/** A limit: bytes, seconds or a count, as the resource has it. Infinity: none. */
export type Limit = number | bigint

export interface ResourceLimits {
  /** What holds. A bigint above Number.MAX_SAFE_INTEGER; Infinity: no limit. */
  soft: Limit
  /** How far this process may raise it. */
  hard: Limit
}

/** No limit. */
export const RLIM_INFINITY = Infinity

/**
 * Tells this process's limits.
 *
 * @param resource a constant or a name: RLIMIT_NOFILE, 'RLIMIT_NOFILE' or 'nofile'
 * @throws PosixError EINVAL: no such resource; ENOSYS: this platform has none of that name
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE: no int32, no known name
 * Node raises its own soft limit of descriptors to the hard one when it starts. Source: getrlimit(2), POSIX.
 */
export function getrlimit(resource: Resource): ResourceLimits {
  return toLimits(binding.getrlimit(toResource(resource, 'getrlimit')), 'getrlimit')
}

/**
 * Sets this process's limits, and those that its children inherit.
 *
 * @param resource as {@link getrlimit}'s
 * @param soft what is to hold: an integer from 0, or Infinity (or 'infinity') for none
 * @param hard how far it may be raised later; to raise this one takes privileges
 * @throws PosixError EPERM: the hard limit can't be raised; EINVAL: soft above hard, no such resource; ENOSYS: this
 *   platform has none of that name
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE for what is no limit. Source: setrlimit(2), POSIX.
 */
export function setrlimit(resource: Resource, soft: Limit | 'infinity', hard: Limit | 'infinity'): void {
  const number = toResource(resource, 'setrlimit')
  checked(binding.setrlimit(number, toLimit(soft, 'soft'), toLimit(hard, 'hard')), 'setrlimit')
}

/**
 * Tells the limits of any process, and sets them if new ones are given.
 *
 * @param pid a process of the same user; 0: this one (int32)
 * @param resource as {@link getrlimit}'s
 * @param soft as {@link setrlimit}'s; both or none
 * @param hard as {@link setrlimit}'s
 * @returns the limits as they were before
 * @throws PosixError ESRCH: no such process; EPERM: somebody else's, or a hard limit raised; EINVAL: soft above hard, no
 *   such resource; ENOSYS: on macOS for any process but this one
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE for wrong arguments. Source: prlimit(2), Linux.
 */
export function prlimit(
  pid: number,
  resource: Resource,
  ...limits: [] | [soft: Limit | 'infinity', hard: Limit | 'infinity']
): ResourceLimits {
  const process = toInt32(pid, 'pid')
  const number = toResource(resource, 'prlimit')
  const [soft, hard] = limits
  if (soft === undefined && hard === undefined) return toLimits(binding.prlimit(process, number), 'prlimit')
  return toLimits(binding.prlimit(process, number, toLimit(soft, 'soft'), toLimit(hard, 'hard')), 'prlimit')
}

function toResource(value: unknown, call: string): number {
  if (typeof value === 'number') return toInt32(value, 'resource')
  if (typeof value !== 'string') throw invalidArgType('resource', 'of type string or number', value)
  const name = value.startsWith('RLIMIT_') ? value : `RLIMIT_${value.toUpperCase()}`
  if (value !== name && value !== value.toLowerCase()) throw invalidArgValue('resource', value, unknownResource)
  const number = (constants as Record<string, number | undefined>)[name]
  if (number !== undefined) return number
  if (!linuxNames.includes(name)) throw invalidArgValue('resource', value, unknownResource)
  return checked(-osConstants.errno.ENOSYS, call)
}

const unknownResource = 'must be the name of a resource'

// Known everywhere, though other platforms have no such resource.
const linuxNames = ['LOCKS', 'MSGQUEUE', 'NICE', 'RTPRIO', 'RTTIME', 'SIGPENDING'].map((name) => `RLIMIT_${name}`)

const highest = 2n ** 64n - 1n

function toLimit(value: unknown, name: string): RawLimit {
  if (value === Infinity || value === 'infinity') return Infinity
  if (typeof value === 'string') throw invalidArgValue(name, value, "must be a number, or 'infinity'")
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    throw invalidArgType(name, 'of type number or bigint', value)
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw outOfRange(name, 'a safe integer', value)
  if (value < 0 || value > highest) throw outOfRange(name, `>= 0 && <= ${highest}`, value)
  return BigInt(value)
}

function toLimits([failure, soft, hard]: [number, RawLimit, RawLimit], call: string): ResourceLimits {
  checked(failure, call)
  return { soft: fromRaw(soft), hard: fromRaw(hard) }
}

function fromRaw(limit: RawLimit): Limit {
  return limit <= Number.MAX_SAFE_INTEGER ? Number(limit) : limit
}
