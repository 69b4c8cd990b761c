// A chain of forks: each child makes the next.
import { closeSync, writeSync } from 'node:fs'
import { _exit, describeStatus, fork, kill, O_CLOEXEC, pipe2, WNOHANG, waitpid } from 'truefork'
import { readToEnd } from '../support/pipes'
import { stacksOf } from '../support/stacks'
import { allocate, compile } from './busy'
import { areEven, balanceTable } from './ledger'
import { Load } from './load'

/** Forks so many times, each child from the one before. True if every one of them did its work. */
export async function chain(depth: number, workers: number, watchdogMs: number): Promise<boolean> {
  const load = new Load(workers)
  await load.start()
  await new Promise((resolve) => setTimeout(resolve, 100)) // so that something is under way
  const [readEnd, writeEnd] = pipe2(O_CLOEXEC)
  const start = performance.now()
  const sound = await descend(1, depth, load, writeEnd, watchdogMs)
  const elapsed = performance.now() - start
  closeSync(writeEnd)
  const told = readToEnd(readEnd).toString()
  closeSync(readEnd)
  const balances = await load.end()
  const expected = Array.from({ length: depth }, (_, index) => `${depth - index}\n`).join('')
  console.log(
    `a chain ${depth} deep: ${sound ? 'ok' : 'broken'}, ${elapsed.toFixed(0)} ms\n\n${balanceTable(balances)}`,
  )
  if (told !== expected) console.log(`told, from the last to the first: ${told.replaceAll('\n', ' ')}`)
  return sound && told === expected && areEven(balances)
}

// One link: forks the next, sees it to its end, then does some work of its own.
async function descend(level: number, depth: number, load: Load, pipe: number, watchdogMs: number): Promise<boolean> {
  const pid = fork()
  if (pid === 0) {
    load.stop()
    const deeper = level === depth || (await descend(level + 1, depth, load, pipe, watchdogMs))
    const right = deeper && (await isWhole(load))
    writeSync(pipe, right ? `${level}\n` : `not ${level}\n`)
    return _exit(right ? 0 : 1)
  }
  load.rest() // the last link alone has busy Workers: all of them would wait for the processors
  return endsWell(pid, level, watchdogMs)
}

async function isWhole(load: Load): Promise<boolean> {
  const answers = await load.askAll()
  gc?.()
  return answers.every((answer, index) => answer === index) && allocate(20, 1000) === 20_000 && compile(1) === 999_000
}

// Each link waits somewhat longer than the one below it, so that the one that hangs is found.
async function endsWell(pid: number, level: number, watchdogMs: number): Promise<boolean> {
  const deadline = performance.now() + watchdogMs
  while (performance.now() < deadline) {
    const found = waitpid(pid, WNOHANG)
    if (found.pid === pid) {
      const ending = describeStatus(found.status)
      if (ending.kind === 'signaled') console.log(`link ${level}: ended by ${ending.signal}`)
      return ending.kind === 'exited' && ending.code === 0
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  console.log(`link ${level} hangs:\n${stacksOf(pid)}`)
  kill(pid, 'SIGKILL')
  waitpid(pid)
  return false
}
