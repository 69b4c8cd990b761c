// What structured clone refuses, by the name under which the user wrote it.
import { serialize } from 'node:v8'
import { invalidArgValue } from '../errors'

/** The error for a value that couldn't be cloned: it names the innermost part that can't. */
export function describeUncloneable(value: unknown, name: string, error: unknown): Error {
  const found = findUncloneable(value, name, new Set())
  if (found === undefined) return error as Error
  const [path, part] = found
  return invalidArgValue(path, part, `can't be cloned for another process: ${adviceFor(part)}`)
}

function findUncloneable(value: unknown, path: string, seen: Set<unknown>): [string, unknown] | undefined {
  if (seen.has(value) || isCloneable(value)) return undefined
  seen.add(value)
  for (const [step, part] of partsOf(value)) {
    const found = findUncloneable(part, `${path}${step}`, seen)
    if (found !== undefined) return found
  }
  return [path, value]
}

function isCloneable(value: unknown): boolean {
  try {
    serialize(value)
    return true
  } catch {
    return false
  }
}

function partsOf(value: unknown): [step: string, part: unknown][] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.map((part, index) => [`[${index}]`, part])
  if (value instanceof Map) {
    return [...value].flatMap(([key, part], index): [string, unknown][] => [
      [`.keys()[${index}]`, key],
      [`.values()[${index}]`, part],
    ])
  }
  if (value instanceof Set) return [...value].map((part, index) => [`.values()[${index}]`, part])
  return Object.entries(value).map(([key, part]) => [
    /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
    part,
  ])
}

function adviceFor(part: unknown): string {
  if (typeof part === 'function') return 'export the function from a module, and let the target import it'
  if (typeof part === 'symbol') return 'give its description'
  if (part instanceof Promise) return 'await it first'
  if (part instanceof WeakMap || part instanceof WeakSet || part instanceof WeakRef) return 'what is weak stays at home'
  return "give what it is made of, or use the start method 'fork', where nothing is cloned"
}
