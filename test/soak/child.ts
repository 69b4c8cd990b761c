// One forked child: what it is to do, what came of it, and an end to it if it hangs.
import { closeSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { _exit, describeStatus, dup2, fork, kill, O_CLOEXEC, pipe2, WNOHANG, waitpid } from 'truefork'
import { readToEnd } from '../support/pipes'
import { stacksOf } from '../support/stacks'
import type { Kind } from './kinds'
import { folder, type Load } from './load'

export type Verdict = 'ok' | 'hung' | 'crashed' | 'wrong' | 'refused'

export interface Result {
  verdict: Verdict
  /** What fork() took, if it went. */
  forkMs: number
  /** In words, unless it is ok. */
  detail: string
}

/** Forks a child of this kind and sees it to its end. `name` is for the file with its stacks, if it hangs. */
export async function forkChild(kind: Kind, load: Load, watchdogMs: number, name: string): Promise<Result> {
  const [readEnd, writeEnd] = pipe2(O_CLOEXEC)
  const start = performance.now()
  let pid: number
  try {
    pid = fork()
  } catch (error) {
    closeSync(readEnd)
    closeSync(writeEnd)
    return { verdict: 'refused', forkMs: Number.NaN, detail: inspect(error) }
  }
  if (pid === 0) return live(kind, load, readEnd, writeEnd)
  const forkMs = performance.now() - start
  closeSync(writeEnd)
  const ending = await end(pid, watchdogMs, name)
  const told = readToEnd(readEnd).toString()
  closeSync(readEnd)
  return { forkMs, ...judge(kind, ending, told) }
}

// The child, from its first moment on.
async function live(kind: Kind, load: Load, readEnd: number, writeEnd: number): Promise<never> {
  load.stop()
  closeSync(readEnd)
  dup2(writeEnd, 2) // what Node says of an error is part of what the child tells
  const tell = (answer: unknown) => writeSync(writeEnd, JSON.stringify(answer))
  try {
    tell(await kind.run(load, tell))
  } catch (error) {
    writeSync(writeEnd, inspect(error))
  }
  return _exit(0)
}

type Ending = number | NodeJS.Signals | 'hung'

async function end(pid: number, watchdogMs: number, name: string): Promise<Ending> {
  const deadline = performance.now() + watchdogMs
  for (;;) {
    const found = waitpid(pid, WNOHANG)
    if (found.pid === pid) return endingOf(found.status)
    if (performance.now() > deadline) break
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  writeFileSync(join(folder, `${name}.stacks`), stacksOf(pid))
  kill(pid, 'SIGKILL')
  waitpid(pid)
  return 'hung'
}

function endingOf(status: number): Ending {
  const described = describeStatus(status)
  if (described.kind === 'exited') return described.code
  if (described.kind === 'signaled') return described.signal as NodeJS.Signals
  throw new Error(`a wait for the end told of ${described.kind}`)
}

function judge(kind: Kind, ending: Ending, told: string): Omit<Result, 'forkMs'> {
  const detail = `ended by ${ending}, told ${JSON.stringify(told)}`
  if (ending === 'hung') return { verdict: 'hung', detail }
  if (ending !== kind.ending) return { verdict: typeof ending === 'string' ? 'crashed' : 'wrong', detail }
  const right = kind.tells instanceof RegExp ? kind.tells.test(told) : told === JSON.stringify(kind.tells)
  return right ? { verdict: 'ok', detail: '' } : { verdict: 'wrong', detail }
}
