// What workers of the tests do. Preloaded or not: `loadedIn` tells.
import { writeSync } from 'node:fs'
import { fdTable } from 'truefork'

const loadedIn = process.pid
let calls = 0

const lastOf = (args: readonly unknown[]): number => (args.at(-1) as number[])[0] as number

/** Writes all there is to know to the first descriptor, as one line of JSON. */
export function report(...args: unknown[]): void {
  calls++
  const { pid, ppid, env, argv } = process
  const listeners = process.eventNames()
  const sockets = fdTable().filter(({ kind }) => kind === 'socket').length
  const facts = { args, pid, ppid, env, argv, loadedIn, calls, cwd: process.cwd(), listeners, sockets }
  const random = [Math.random(), crypto.randomUUID()]
  const resources = process.getActiveResourcesInfo()
  writeSync(lastOf(args), `${JSON.stringify({ ...facts, random, resources })}\n`)
}

/** Says `ready`, then lives until it is ended. */
export function live(fds: readonly number[]): void {
  setInterval(() => {}, 60_000)
  writeSync(fds[0] as number, `ready ${process.pid}\n`)
}

export function liveDeaf(fds: readonly number[]): void {
  process.on('SIGTERM', () => {})
  live(fds)
}

/** Says `ready`, and never comes back to its event loop. */
export function spin(fds: readonly number[]): void {
  writeSync(fds[0] as number, `ready ${process.pid}\n`)
  for (;;);
}

/** Writes to 0-2, past Node's streams. */
export function speak(word: string): void {
  writeSync(1, `${word} out`)
  writeSync(2, `${word} err`)
}

export function nothing(): void {}

export function exit(code: number): void {
  process.exit(code)
}

export function raise(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal)
  setInterval(() => {}, 60_000)
}

export function fail(): void {
  throw new Error('it failed')
}

export async function failLater(): Promise<void> {
  await null
  throw new Error('it failed later')
}

export async function exitLater(code: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5))
  process.exitCode = code
}

export default function byDefault(): void {
  process.exitCode = 42
}
