// Does the parent pay for its forks later on? child_process.spawnSync before the first fork and after.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { _exit, fork, waitpid } from 'truefork'
import { fillHeap } from './support/heap.mjs'
import { compared, machineFacts } from './support/measure.mjs'

function spawnTimes(count) {
  return Array.from({ length: count }, () => {
    const start = performance.now()
    spawnSync('true')
    return performance.now() - start
  })
}

// There is only one first fork in a process: before and after take turns by processes.
async function measureOnce() {
  await fillHeap(500)
  spawnTimes(3)
  const before = spawnTimes(15)
  for (let count = 0; count < 5; count++) {
    const pid = fork()
    if (pid === 0) _exit(0)
    waitpid(pid)
  }
  console.log(JSON.stringify([before, spawnTimes(15)]))
}

function measureInAnother() {
  const { stdout, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, BENCH_ONCE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`ended with ${status}`)
  return JSON.parse(stdout)
}

if (process.env.BENCH_ONCE) {
  await measureOnce()
} else {
  console.log(`spawn-after-fork: milliseconds of spawnSync('true'); median (middle half)\n${machineFacts()}`)
  const runs = Array.from({ length: 4 }, measureInAnother)
  const [before, after] = [0, 1].map((index) => runs.flatMap((run) => run[index]))
  console.log(compared('500 MB', ['after', after], ['before', before]))
}
