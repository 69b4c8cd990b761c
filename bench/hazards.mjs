// What does forkHazards() cost, compared with the fork() that it is asked before?
// Arguments: sizes of the heap in megabytes; default: 50 500.
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { _exit, fork, forkHazards, waitpid } from 'truefork'
import { fillHeap } from './support/heap.mjs'
import { alternate, compared, machineFacts, timed } from './support/measure.mjs'
import { startWorkers } from './support/workers.mjs'

function pauseOfFork() {
  const start = performance.now()
  const pid = fork()
  if (pid === 0) _exit(0)
  const pause = performance.now() - start
  waitpid(pid)
  return pause
}

async function measure(label) {
  const asking = () => timed(() => forkHazards())
  const [hazards, pauses] = await alternate(40, asking, pauseOfFork)
  console.log(`${compared(label, ['forkHazards', hazards], ['fork', pauses])}  CPU time ${cpuTime().toFixed(2)}`)
}

/** Milliseconds of CPU time that forkHazards takes: what a busy machine hardly changes. */
function cpuTime() {
  const rounds = 100
  const before = process.cpuUsage()
  for (let round = 0; round < rounds; round++) forkHazards()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / rounds
}

/** A server with so many connections that stay open, this process at both ends of each. */
async function startServer(connections) {
  const server = createServer((_request, response) => response.end('here'))
  await new Promise((resolve) => server.listen(0, resolve))
  const url = `http://127.0.0.1:${server.address().port}`
  await Promise.all(Array.from({ length: connections }, () => fetch(url).then((response) => response.text())))
  return server
}

async function measureHeap(megabytes) {
  await fillHeap(megabytes)
  const size = `${megabytes} MB,`
  await measure(`${size} as it starts`)
  const workers = await startWorkers(2, false)
  await startServer(20)
  await measure(`${size} server and Workers`)
  await Promise.all(workers.map((worker) => worker.terminate()))
}

const [, , ...sizes] = process.argv
if (process.env.BENCH_HEAP) {
  await measureHeap(Number(process.env.BENCH_HEAP))
  process.exit()
} else {
  console.log(`hazards: milliseconds in forkHazards(); median (middle half)\n${machineFacts()}`)
  for (const size of sizes.length > 0 ? sizes : ['50', '500']) {
    const env = { ...process.env, BENCH_HEAP: size }
    const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], { env, stdio: 'inherit' })
    if (status !== 0) process.exitCode = 1
  }
}
