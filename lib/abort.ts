// AbortSignal, as the last argument of calls that return promises.
import { abortError, invalidArgType } from './errors'
import { toOptions } from './validate'

/** How a pending call can be given up. */
export interface Abortable {
  signal?: AbortSignal | undefined
}

/** The signal among these options, checked as Node checks it. */
export function toAbortSignal(value: unknown, name: string): AbortSignal | undefined {
  const { signal } = toOptions(value, name)
  if (signal === undefined) return undefined
  if (typeof signal !== 'object' || signal === null || !('aborted' in signal)) {
    throw invalidArgType(`${name}.signal`, 'an instance of AbortSignal', signal)
  }
  return signal as AbortSignal
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal)
}

// One listener a signal, however many calls it may abort: Node warns of more than ten.
const listeners = new WeakMap<AbortSignal, Set<() => void>>()

function callbacksOf(signal: AbortSignal): Set<() => void> {
  const known = listeners.get(signal)
  if (known !== undefined) return known
  const callbacks = new Set<() => void>()
  listeners.set(signal, callbacks)
  const callAll = (): void => {
    for (const callback of callbacks) callback()
  }
  signal.addEventListener('abort', callAll, { once: true })
  return callbacks
}

/** Calls back when the signal aborts. The result takes that back. */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => {}
  const callbacks = callbacksOf(signal)
  callbacks.add(callback)
  return () => {
    callbacks.delete(callback)
  }
}
