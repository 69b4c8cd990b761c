// The project's files, for the scripts.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { runInNewContext } from 'node:vm'
import { root } from './run.mjs'

/** Every file below a folder, as a path relative to the project's. */
export function filesBelow(folder, extensions) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && (extensions === undefined || extensions.includes(extname(entry.name))))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort()
}

/** The compiled form of every test. Not a glob over out/: what is left there of a test that is gone mustn't run. */
export function compiledTests() {
  return filesBelow('test', ['.ts'])
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join('out', path.replace(/\.ts$/, '.js')))
}

/** Whether a test repeats the same thing for long. */
export const isLong = (path) =>
  /\/(soak|leaks|pty-leaks|exit-watch|fork-all-(exit|failures|leaks)|fork-(exit|memory))\.test\.js$/.test(path)

/** Whether what a test tells hangs on the release of Node: on its threads, its heap, its internals. */
export const isOfEachNode = (path) =>
  /\/(at-fork|fork[^/]*|inspector|diagnose|multiprocessing\/(process|process-fork|pool|lock|pipe|queue))\.test\.js$/.test(
    path,
  )

/** A few tests of each part: enough to tell whether an addon was built as it should be. */
export const isSample = (path) =>
  /\/(exec|spawn|spawn-promises|wait|signals|sockets|pty|fork|fork-all|multiprocessing\/(lock|pipe|pool))\.test\.js$/.test(
    path,
  )

/** The sources that binding.gyp lists for a platform. But for its comments it is a literal of JavaScript's, too. */
export function listedSources(platform, target_arch = process.arch) {
  const text = readFileSync(join(root, 'binding.gyp'), 'utf8').replace(/^ *#.*$/gm, '')
  const [target] = runInNewContext(`(${text})`).targets
  const values = { OS: platform === 'darwin' ? 'mac' : platform, target_arch }
  const holds = (test) => runInNewContext(test.replaceAll(' and ', ' && '), values)
  const chosen = target.conditions.filter(([test]) => holds(test)).map(([, own]) => own)
  return [target, ...chosen].flatMap((part) => part.sources ?? [])
}

/** When a file was changed last, 0 where there is none. */
export function changed(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
