// Thousands of forks from one parent: what each would leave behind adds up.
import { readdirSync, readFileSync } from 'node:fs'
import { _exit, fork, waitpid } from 'truefork'
import { statusField } from '../support/process-state'
import { Load } from './load'
import { table } from './table'

interface Holdings {
  descriptors: number
  threads: number
  mappings: number
  children: number
  kilobytes: number
}

// V8 and malloc map and return regions of their own accord, some either way. Anything that a fork left would be
// there thousands of times: 4 KB of a page, or 64 bytes of malloc's, come to more than these after 10,000.
const slack: Holdings = { descriptors: 0, threads: 0, mappings: 20, children: 0, kilobytes: 4000 }

/** Forks so many times and compares what the process holds before and after. True if nothing stayed. */
export async function leaks(forks: number, workers: number): Promise<boolean> {
  const load = new Load(workers)
  await load.start()
  load.rest()
  await load.askAll()
  await forkMany(Math.ceil(forks / 10)) // caches fill, the heap finds its size
  const before = await holdings()
  const start = performance.now()
  await forkMany(forks)
  const elapsed = performance.now() - start
  const after = await holdings()
  await load.end()
  const names = Object.keys(slack) as (keyof Holdings)[]
  console.log(
    `${table([
      [`${forks} forks, ${(elapsed / forks).toFixed(2)} ms each`, 'before', 'after', 'growth allowed'],
      ...names.map((name) => [name, before[name], after[name], slack[name]]),
    ])}`,
  )
  return names.every((name) => after[name] - before[name] <= slack[name])
}

async function forkMany(count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    const pid = fork()
    if (pid === 0) _exit(0)
    const { status } = waitpid(pid)
    if (status !== 0) throw new Error(`child ${done} ended with status ${status}`)
    if (done % 100 === 0) await new Promise(setImmediate)
  }
}

async function holdings(): Promise<Holdings> {
  for (let round = 0; round < 3; round++) {
    gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    mappings: readFileSync('/proc/self/maps', 'utf8').split('\n').length,
    children: readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).length,
    kilobytes: Number.parseInt(statusField('VmRSS'), 10),
  }
}
