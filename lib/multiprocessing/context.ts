// getContext: this module with a start method of its own, whatever setStartMethod has chosen.
import type { StartMethod } from './launcher'
import { getStartMethod, toStartMethod } from './start-methods'

type Module = typeof import('../multiprocessing')

/** All that this module exports. Its Processes are started by the context's own method. */
export type Context = Omit<Module, 'setStartMethod' | 'getContext'>

const prefixes: Readonly<Record<StartMethod, string>> = { fork: 'Fork', spawn: 'Spawn', forkserver: 'ForkServer' }

const contexts = new Map<StartMethod, Context>()

/**
 * This module with a start method of its own. A Process of such a context is named after it: `SpawnProcess-1`.
 *
 * @param method 'fork', 'spawn', 'forkserver'; default: the one that getStartMethod tells
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE: no such method
 */
export function getContext(method?: StartMethod): Context {
  const startMethod = method === undefined ? getStartMethod() : toStartMethod(method, 'method')
  const known = contexts.get(startMethod)
  if (known !== undefined) return known
  const { setStartMethod, getContext: _, ...module } = require('../multiprocessing') as Module
  const classes = Object.entries(module).flatMap(([name, value]) =>
    typeof value === 'function' && Object.hasOwn(value, 'startMethod')
      ? [[name, withMethod(name, value as never, startMethod)]]
      : [],
  )
  const context = { ...module, ...Object.fromEntries(classes), getStartMethod: () => startMethod } as Context
  contexts.set(startMethod, context)
  return context
}

function withMethod<Class extends new (...args: never[]) => object>(
  name: string,
  Base: Class,
  startMethod: StartMethod,
): Class {
  const Derived = class extends (Base as unknown as new (...args: unknown[]) => object) {
    static readonly startMethod = startMethod
  }
  Object.defineProperty(Derived, 'name', { value: `${prefixes[startMethod]}${name}` })
  return Derived as unknown as Class
}
