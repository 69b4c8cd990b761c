// What a worker of the fork server does, from its first moment to the call of its function.
import { closeSync, openSync } from 'node:fs'
import { O_RDWR } from '../constants'
import { dup2 } from '../descriptors'
import { _exit } from '../fork'
import { prctl } from '../prctl'
import { type Answer, readFrame, type StdioSource, type WorkerRequest, writeFrame } from './fork-server-protocol'
import type { Assignment } from './fork-server-spare'
import { importExport } from './import-export'
import { describeError } from './remote-error'
import { unpack } from './transfer'

/** What this process is before it is told more. */
export interface Origin {
  /** The server's pid. */
  server: number
  env: NodeJS.ProcessEnv
}

/** To be asked before there is a request: reading the environment takes long. */
export function originIn(server: number): Origin {
  return { server, env: { ...process.env } }
}

/** Calls the function that was asked for. What fails before is told to the owner by word. */
export async function runWorker({ connection, fds, isDaemon }: Assignment, origin: Origin): Promise<void> {
  if (isDaemon) dieWith(origin.server)
  const request = readRequest(connection)
  if (request === undefined) _exit(0)
  let call: () => unknown
  try {
    call = await prepareCall(request, fds, origin)
  } catch (error) {
    answerAndClose(connection, { type: 'failed', of: 'worker', error: describeError(error) })
    return process.exit(1)
  }
  answerAndClose(connection, { type: 'loaded' })
  // Outside of this promise: what it throws is an uncaught error, as of any program.
  setImmediate(call)
}

/** undefined: the owner is gone. */
function readRequest(connection: number): WorkerRequest | undefined {
  try {
    return readFrame(connection) as WorkerRequest | undefined
  } catch {
    return undefined // ECONNRESET: it has gone with something unread
  }
}

/**
 * Gives a worker 0-2, directory and environment of its own, before anything there looks at them, and finds its function.
 *
 * @param fds the descriptors that came with the request
 */
export async function prepareCall(
  request: WorkerRequest,
  fds: readonly number[],
  { env }: Origin,
): Promise<() => unknown> {
  enter(request, fds, env)
  const target = await importExport(request.module, request.export, request.directory)
  const args = argsOf(request, fds)
  return () => target(...args)
}

function dieWith(server: number): void {
  try {
    prctl.setPdeathsig('SIGKILL')
  } catch {} // macOS: the server and the owner do it
  if (process.ppid !== server) _exit(0) // it had ended before
}

function argsOf({ args, fdCounts: { stdio, target } }: WorkerRequest, fds: readonly number[]): unknown[] {
  const end = stdio + (target ?? 0)
  const own = unpack(args, fds.slice(end)) as unknown[]
  return target === undefined ? own : [...own, fds.slice(stdio, end)]
}

function answerAndClose(connection: number, answer: Answer): void {
  writeFrame(connection, answer)
  closeSync(connection)
}

/** Directory, environment and 0-2 of the worker's own. */
function enter(
  { module, env, cwd, stdio, fdCounts }: WorkerRequest,
  fds: readonly number[],
  known: NodeJS.ProcessEnv,
): void {
  process.argv[1] = module
  for (const name of Object.keys(known)) if (!Object.hasOwn(env, name)) delete process.env[name]
  // One that is set anew costs memory, and TZ makes V8 forget all it knows of dates.
  for (const [name, value] of Object.entries(env)) if (known[name] !== value) process.env[name] = value
  if (process.cwd() !== cwd) process.chdir(cwd)
  for (const [fd, source] of stdio.entries()) redirect(fd, source, fds)
  for (const fd of fds.slice(0, fdCounts.stdio)) closeSync(fd)
}

function redirect(fd: number, source: StdioSource, fds: readonly number[]): void {
  if (source === 'inherit') return
  if (source !== 'ignore') {
    dup2(fds[source] as number, fd)
    return
  }
  const nowhere = openSync('/dev/null', O_RDWR)
  dup2(nowhere, fd)
  closeSync(nowhere)
}
