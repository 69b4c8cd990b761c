// A module by the name that a caller in another process gave it, and an export of it.
import { createRequire, isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { invalidArgValue } from '../errors'
import type { ExportedFunction } from './launcher'

type Exports = Readonly<Record<string, unknown>>
type AnyFunction = (...args: unknown[]) => unknown

// By directory and name. Node would look again for the file of a module that it has, which takes longer than a fork.
const imported = new Map<string, Exports>()

/**
 * Imports a module once, be it of CommonJS or an ES module.
 *
 * @param module a URL (`file:`, `node:`, `data:`), a path, or a package's name
 * @param directory where relative paths begin, and where packages are looked for
 * @returns its namespace
 */
export async function importFrom(module: string, directory: string): Promise<Exports> {
  const key = `${directory}\0${module}`
  const exports = imported.get(key) ?? ((await import(toSpecifier(module, directory))) as Exports)
  imported.set(key, exports)
  return exports
}

/**
 * Imports a module and finds a function among its exports.
 *
 * @param module as {@link importFrom}'s
 * @param name the export's; `default` is module.exports of CommonJS
 * @param source the function's own, if it is known by its own name and may be exported under another
 * @throws what the import throws; ERR_INVALID_ARG_VALUE, naming what there is, if it has no such function
 */
export async function importExport(
  module: string,
  name: string,
  directory: string,
  source?: string,
): Promise<AnyFunction> {
  const exports = await importFrom(module, directory)
  const found = findIn(exports, { export: name, source })
  if (found !== undefined) return found
  const names = Object.keys({ ...wholeOf(exports), ...exports }).sort()
  throw invalidArgValue('export', name, `must be a function of ${module}, whose exports are: ${names.join(', ')}`)
}

/** A function among what {@link importFrom} has found. */
export function findIn(
  exports: Exports,
  { export: name, source }: Pick<ExportedFunction, 'export' | 'source'>,
): AnyFunction | undefined {
  const whole = wholeOf(exports)
  const direct = [exports[name], whole?.[name]]
  const others = source === undefined ? [] : [...Object.values(exports), ...Object.values(whole ?? {})]
  return [...direct, ...others].find(
    (value): value is AnyFunction => typeof value === 'function' && (source === undefined || String(value) === source),
  )
}

/** What CommonJS exports under a computed name is seen in its default alone, and so is __esModule's own default. */
function wholeOf(exports: Exports): Exports | undefined {
  return exports['default'] as Exports | undefined
}

function toSpecifier(module: string, directory: string): string {
  if (/^[a-z][a-z\d+.-]+:/i.test(module) || isBuiltin(module)) return module
  try {
    return pathToFileURL(createRequire(join(directory, 'index.js')).resolve(module)).href
  } catch {
    // A package for import alone, or nothing at all: then import has the better words for it.
    return /^\.{0,2}\/|^\.{1,2}$/.test(module) ? pathToFileURL(resolve(directory, module)).href : module
  }
}
