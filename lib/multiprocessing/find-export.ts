// The module that exports a function: what a child must import to have it.
import type { Debugger, Runtime, Session } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { invalidArgValue } from '../errors'
import type { ExportedFunction } from './launcher'

type AnyFunction = (...args: never[]) => unknown

/**
 * Finds where a function or class is exported.
 *
 * @param name what the caller knows it by
 * @throws ERR_INVALID_ARG_VALUE if it stands in no module, or has no name
 */
export function findExport(target: AnyFunction, name: string): ExportedFunction {
  return amongLoadedModules(target) ?? whereItStands(target, name)
}

/** CommonJS keeps a list of its modules: there it is this very function. */
function amongLoadedModules(target: AnyFunction): ExportedFunction | undefined {
  let inMain: ExportedFunction | undefined
  for (const loaded of Object.values(require.cache)) {
    if (loaded === undefined) continue
    const key = exportedAs(target, loaded.exports)
    if (key === undefined) continue
    const found = { module: loaded.filename, export: key }
    // The program itself is imported only if nothing else exports it.
    if (loaded !== require.main) return found
    inMain = found
  }
  return inMain
}

function exportedAs(target: AnyFunction, exports: unknown): string | undefined {
  if (exports === target) return 'default'
  if ((typeof exports !== 'object' && typeof exports !== 'function') || exports === null) return undefined
  // Of getters only those that TypeScript and bundlers make for what a module exports: others might do anything.
  const isModule = Object.hasOwn(exports, '__esModule')
  for (const [key, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(exports))) {
    if (value === target || (isModule && get?.call(exports) === target)) return key
  }
  return undefined
}

/** ES modules keep no such list, but a function knows its script. Whether it is exported the child finds out. */
function whereItStands(target: AnyFunction, name: string): ExportedFunction {
  const url = scriptOf(target)
  if (url === undefined || !/^(file|data|https?):/.test(url)) {
    throw invalidArgValue(
      name,
      target,
      "must be exported by a module, as another process imports it from there; 'fork' takes any function",
    )
  }
  if (target.name === '') throw invalidArgValue(name, target, 'must have a name, as it is looked for among exports')
  const module = url.startsWith('file:') ? fileURLToPath(url) : url
  return { module, export: target.name, source: String(target) }
}

const urls = new Map<string, string>()

/** The URL of the script that a function stands in; undefined: none. */
function scriptOf(target: AnyFunction): string | undefined {
  const { Session } = require('node:inspector') as typeof import('node:inspector')
  const session = new Session()
  session.connect()
  try {
    const script = scriptIdOf(session, target)
    if (script === undefined) return undefined
    if (!urls.has(script)) noteScripts(session)
    return urls.get(script)
  } finally {
    session.disconnect()
  }
}

function scriptIdOf(session: Session, target: AnyFunction): string | undefined {
  const key = Symbol.for('truefork.target')
  Object.defineProperty(globalThis, key, { value: target, configurable: true })
  try {
    const expression = `globalThis[Symbol.for('truefork.target')]`
    const { result } = ask<Runtime.EvaluateReturnType>(session, 'Runtime.evaluate', { expression })
    const { internalProperties = [] } = ask<Runtime.GetPropertiesReturnType>(session, 'Runtime.getProperties', {
      objectId: result.objectId,
      ownProperties: true,
    })
    const location = internalProperties.find((property) => property.name === '[[FunctionLocation]]')
    return (location?.value?.value as Debugger.Location | undefined)?.scriptId
  } finally {
    Reflect.deleteProperty(globalThis, key)
  }
}

function noteScripts(session: Session): void {
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url))
  ask(session, 'Debugger.enable')
}

function ask<Answer>(session: Session, method: string, params: object = {}): Answer {
  let answer: unknown
  session.post(method, params, (error, result) => {
    if (error !== null) throw new Error(`${method}: ${error.message}`)
    answer = result
  })
  return answer as Answer
}
