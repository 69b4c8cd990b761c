// Programs of several processes that share memory.
import { linesOf, singleThreaded, withoutAllThreads } from '../../support/fork'
import type { ProgramOptions } from '../../support/program'

// started: forks a child that runs a function and nothing after it. ended: how it ended.
const prelude = `
const { Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event, Barrier, Value, SharedArray } =
  require('truefork/multiprocessing')
const started = async (body) => {
  const pid = fork()
  if (pid !== 0) return pid
  try {
    await body()
    process.exit(0)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}
const { waitpid: promised } = require('truefork/promises')
const ended = async (pid) => {
  const { code, signal } = describeStatus((await promised(pid)).status)
  return code ?? signal
}
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const until = async (holds) => { while (!holds()) await pause(2) }
const say = (...values) => console.log(JSON.stringify(values.length === 1 ? values[0] : values))
const thrown = (call) => { try { return call() } catch ({ name, code, syscall }) { return [name, code, syscall] } }
`

/** The lines that a program says, whose top level may await; it ends when it has nothing left to do. */
export function saidBy(source: string, options: ProgramOptions = {}): Promise<unknown[]> {
  // Children live long, and so need all threads or a Node that has none.
  const nodeOptions = [
    '--disable-warning=EOWNERDEAD',
    ...(withoutAllThreads === false ? [] : (singleThreaded.nodeOptions ?? [])),
    ...(options.nodeOptions ?? []),
  ].filter((option) => !option.startsWith('--disable-warning') || canDisableWarnings)
  return linesOf(`${prelude};(async () => {${source}})()`, { ...options, nodeOptions })
}

// Since Node 21.3.
const canDisableWarnings = process.allowedNodeEnvironmentFlags.has('--disable-warning')
