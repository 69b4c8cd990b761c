// Which way a child is started, unless a context says otherwise.
import { binding } from '../binding'
import { invalidArgType, invalidArgValue, invalidState } from '../errors'
import type { Launcher, StartMethod } from './launcher'

const methods: readonly StartMethod[] = ['fork', 'spawn', 'forkserver']

let chosen: StartMethod | undefined

/** Where a child is whole it is forked, as in Python before 3.14; else nothing is copied. */
export function defaultMethod(): StartMethod {
  return binding.whyNotAllThreads() === null ? 'fork' : 'spawn'
}

/**
 * Chooses how Processes are started from now on, in this process and in those that it starts.
 *
 * @param method 'fork', 'spawn' or 'forkserver'
 * @param options `force`: whatever was chosen before
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE: no such method
 * @throws ERR_INVALID_STATE: another one has been chosen
 */
export function setStartMethod(method: StartMethod, options?: { force?: boolean | undefined }): void {
  toStartMethod(method, 'method')
  if (chosen !== undefined && chosen !== method && options?.force !== true) {
    throw invalidState(`the start method is '${chosen}' already; { force: true } changes it`)
  }
  chosen = method
}

/** The start method: the one that was chosen, or else 'fork' where a forked child has all threads, and 'spawn'. */
export function getStartMethod(): StartMethod {
  return chosen ?? defaultMethod()
}

export function toStartMethod(value: unknown, name: string): StartMethod {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  if (!methods.includes(value as StartMethod)) {
    throw invalidArgValue(name, value, `must be one of ${methods.join(', ')}`)
  }
  return value as StartMethod
}

/** What starts children; loaded when it is first needed. */
export function launcherOf(method: StartMethod = getStartMethod()): Launcher {
  if (method === 'fork') return (require('./launch-fork') as typeof import('./launch-fork')).forkLauncher
  if (method === 'spawn') return (require('./launch-spawn') as typeof import('./launch-spawn')).spawnLauncher
  return (require('./launch-forkserver') as typeof import('./launch-forkserver')).forkserverLauncher
}
