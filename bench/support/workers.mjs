// Workers that wait for messages, or also collect garbage and compile without end.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const source = `
const { parentPort, workerData: busy } = require('node:worker_threads')
parentPort.on('message', () => {})
parentPort.postMessage('here')
let round = 0
if (busy) setInterval(() => {
  const kept = []
  for (let i = 0; i < 40; i++) kept.push(new Array(5000).fill({ i }))
  const sum = new Function('arrays', 'let sum = ' + round++ + '; for (const array of arrays) sum += array.length; return sum')
  for (let i = 0; i < 200; i++) sum(kept)
}, 1)`

/** Starts so many. Resolves when all run. */
export async function startWorkers(count, busy) {
  const workers = Array.from({ length: count }, () => new Worker(source, { eval: true, workerData: busy }))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  return workers
}
