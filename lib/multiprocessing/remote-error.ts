// Errors on their way from one process to another: structured clone would drop their fields and their class.
import { inspect } from 'node:util'
import { ForkHazardError } from '../errors'

/** An error as it travels. */
export interface ErrorDescription {
  name: string
  message: string
  stack: string
  /** code, errno, syscall, path, hazards: what callers look at. */
  fields: Record<string, unknown>
}

const fields = ['code', 'errno', 'syscall', 'path', 'hazards']
/** In characters: a description has to fit into a pipe or a socket in one piece. */
const mostText = 4096

/** What is to be told of a thrown value, be it an error or not. Never throws. */
export function describeError(thrown: unknown): ErrorDescription {
  if (!(thrown instanceof Error)) {
    return { name: 'Error', message: inspect(thrown).slice(0, mostText), stack: '', fields: {} }
  }
  const own = thrown as unknown as Record<string, unknown>
  return {
    name: String(thrown.name),
    message: String(thrown.message).slice(0, mostText),
    stack: String(thrown.stack).slice(0, mostText),
    fields: Object.fromEntries(fields.flatMap((name) => (isPlain(own[name]) ? [[name, own[name]]] : []))),
  }
}

function isPlain(value: unknown): boolean {
  return ['string', 'number'].includes(typeof value) || Array.isArray(value)
}

/** The error again: of its class where it is one of JavaScript's or ours, with the stack of the other process. */
export function reviveError({ name, message, stack, fields: own }: ErrorDescription): Error {
  if (name === 'ForkHazardError') return new ForkHazardError(own['hazards'] as ForkHazardError['hazards'])
  const known = { TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError }
  const error = new (known[name as keyof typeof known] ?? Error)(message)
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (stack !== '') error.stack = stack
  return Object.assign(error, own)
}
