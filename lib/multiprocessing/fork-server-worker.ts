// What a worker of the fork server does, from its first moment to the call of its function.
import { closeSync, openSync } from 'node:fs'
import { O_RDWR } from '../constants'
import { dup2 } from '../descriptors'
import { type Answer, type StdioSource, type WorkerRequest, writeFrame } from './fork-server-protocol'
import { importExport } from './import-export'
import { describeError } from './remote-error'
import { unpack } from './transfer'

/** Makes the call that a worker is for. */
type Preparation = () => Promise<() => unknown>

/**
 * Gives a worker 0-2, directory and environment of its own, before anything there looks at them.
 *
 * @param fds the descriptors that came with the request
 * @returns finds the function, or throws what has failed here
 */
export function prepareWorker(request: WorkerRequest, fds: readonly number[]): Preparation {
  try {
    enter(request, fds)
  } catch (error) {
    return () => Promise.reject(error)
  }
  return async () => {
    const target = await importExport(request.module, request.export, request.directory)
    const args = argsOf(request, fds)
    return () => target(...args)
  }
}

function argsOf({ args, fdCounts: { stdio, target } }: WorkerRequest, fds: readonly number[]): unknown[] {
  const end = stdio + (target ?? 0)
  const own = unpack(args, fds.slice(end)) as unknown[]
  return target === undefined ? own : [...own, fds.slice(stdio, end)]
}

/** Calls the function. What fails before is told to the owner by word. */
export async function runWorker(connection: number, prepare: Preparation): Promise<void> {
  let call: () => unknown
  try {
    call = await prepare()
  } catch (error) {
    answerAndClose(connection, { type: 'failed', of: 'worker', error: describeError(error) })
    return process.exit(1)
  }
  answerAndClose(connection, { type: 'loaded' })
  // Outside of this promise: what it throws is an uncaught error, as of any program.
  setImmediate(call)
}

function answerAndClose(connection: number, answer: Answer): void {
  writeFrame(connection, answer)
  closeSync(connection)
}

/** Directory, environment and 0-2 of the worker's own. */
function enter({ module, env, cwd, stdio, fdCounts }: WorkerRequest, fds: readonly number[]): void {
  process.argv[1] = module
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name]
  // One that is set anew costs memory, and TZ makes V8 forget all it knows of dates.
  for (const [name, value] of Object.entries(env)) if (process.env[name] !== value) process.env[name] = value
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
