// Runs JavaScript in a Node of its own: a test that forks would have two copies of the test runner.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stacksOf } from './stacks'

/** The package's own folder. */
export const root = join(__dirname, '..', '..', '..')

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface ProgramOptions {
  /** Options for Node itself, such as --single-threaded. */
  nodeOptions?: readonly string[]
  args?: readonly string[]
  env?: Record<string, string | undefined>
  /** What the program reads from its standard input; default: nothing, at its end. */
  input?: string
  /** After so long without an end the program counts as hung. Default: 20 seconds. */
  timeoutMs?: number
}

/**
 * Runs a CommonJS program and waits until it and all its children have let go of its output.
 * `require('truefork')` finds this package. A program that hangs is killed with its descendants, and rejects with
 * the stacks of all of them.
 */
export function runProgram(source: string, options: ProgramOptions = {}): Promise<Outcome> {
  return runNode([...(options.nodeOptions ?? []), '-e', source, '--', ...(options.args ?? [])], options)
}

/** Runs Node with these arguments, in the package's folder. */
export function runNode(argv: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  const { timeoutMs = 20_000 } = options
  const child = spawn(process.execPath, argv, { cwd: root, env: { ...cleanEnv(), ...options.env } })
  child.stdin.on('error', () => {}) // a program may end before it has read everything
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    const watchdog = setTimeout(() => reject(new Error(`hung for ${timeoutMs} ms\n${killTree(child)}`)), timeoutMs)
    const outcome: Outcome = { code: null, signal: null, stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      outcome.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      outcome.stderr += text
    })
    child.on('close', (code, signal) => {
      clearTimeout(watchdog)
      resolve({ ...outcome, code, signal })
    })
  })
}

/** This environment without what the test runner put there for itself. */
export function cleanEnv(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(TAP|NODE_OPTIONS$|NODE_V8_COVERAGE$|_TAPJS)/.test(name)),
  )
}

function killTree(child: ChildProcess): string {
  const pids = descendants(child.pid as number)
  const stacks = pids.map((pid) => `--- process ${pid}\n${stacksOf(pid, 10_000)}`)
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {} // it has ended by itself
  }
  child.stdout?.destroy()
  child.stderr?.destroy()
  return stacks.join('\n')
}

/** A process and all that it made, as far as they haven't been adopted by another. */
export function descendants(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((tid) =>
      readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [pid, ...children.flatMap(descendants)]
  } catch {
    return [pid] // no /proc, or it has ended
  }
}
