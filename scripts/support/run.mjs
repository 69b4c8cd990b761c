// Programs that the scripts run, in the project's folder.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** The script of a tool installed by npm, run by Node itself: npx would cost a second each time. */
export const tool = (path) => join(root, 'node_modules', path)

/** Runs a program whose output is ours. Its exit status. */
export function status(program, args, options = {}) {
  const { status, signal, error } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  if (signal) process.stderr.write(`${program}: ended by ${signal}\n`)
  return status ?? 1
}

/** Runs a program; when it fails, this one ends with its status. */
export function run(program, args, options = {}) {
  const failure = status(program, args, options)
  if (failure === 0) return
  process.stderr.write(`failed (${failure}): ${[program, ...args].join(' ')}\n`)
  process.exit(failure)
}

/** Runs a program and keeps what it prints; its errors are for us to see. */
export function capture(program, args, options = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  if (result.error) throw result.error
  return result
}
