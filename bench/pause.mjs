// How long does fork() keep its caller, compared with a bare libc fork() of the same process?
// Arguments: sizes of the heap in megabytes; default: 50 500 2000.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { _exit, fork, waitpid } from 'truefork'
import { fillHeap } from './support/heap.mjs'
import { alternate, compared, machineFacts, median } from './support/measure.mjs'
import { loadBareFork } from './support/native.mjs'
import { startWorkers } from './support/workers.mjs'

function pauseOfFork() {
  const start = performance.now()
  const pid = fork()
  if (pid === 0) _exit(0)
  const pause = performance.now() - start
  const { status } = waitpid(pid)
  if (status !== 0) throw new Error(`the child ended with status ${status}`)
  return pause
}

async function measure(label, rounds) {
  const { bareFork } = loadBareFork()
  const madvise = []
  const [pauses, bare] = await alternate(rounds, pauseOfFork, () => {
    const [whole, advice] = bareFork()
    madvise.push(advice)
    return whole
  })
  console.log(`${compared(label, ['fork', pauses], ['bare', bare])}  madvise of it ${median(madvise).toFixed(2)}`)
}

async function measureHeap(megabytes) {
  await fillHeap(megabytes)
  const size = `${megabytes} MB,`
  await measure(`${size} no Workers`, 15)
  const idle = await startWorkers(8, false)
  await measure(`${size} 8 idle Workers`, 15)
  await Promise.all(idle.map((worker) => worker.terminate()))
  const busy = await startWorkers(8, true)
  await measure(`${size} 8 busy Workers`, 10)
  await Promise.all(busy.map((worker) => worker.terminate()))
}

const [, , ...sizes] = process.argv
if (process.env.BENCH_HEAP) {
  await measureHeap(Number(process.env.BENCH_HEAP))
} else {
  console.log(`pause: milliseconds in fork(); median (middle half)\n${machineFacts()}`)
  for (const size of sizes.length > 0 ? sizes : ['50', '500', '2000']) {
    // Each size in a Node of its own: a heap keeps the shape that an earlier, larger one gave it.
    const env = { ...process.env, BENCH_HEAP: size }
    const { status } = spawnSync(process.execPath, ['--max-old-space-size=8192', fileURLToPath(import.meta.url)], {
      env,
      stdio: 'inherit',
    })
    if (status !== 0) process.exitCode = 1
  }
}
