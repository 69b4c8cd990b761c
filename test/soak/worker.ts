// A Worker that collects garbage and compiles without end, until told to rest, and answers in between.
import { parentPort, workerData } from 'node:worker_threads'
import { allocate, compile } from './busy'

const port = parentPort as NonNullable<typeof parentPort>
const index = workerData as number

let round = 0
const busy = setInterval(() => {
  allocate(40, 5000)
  compile(round++)
}, 1)

port.on('message', (message: number | 'rest') => {
  if (message === 'rest') clearInterval(busy)
  else port.postMessage([message, message * 2 + index])
})
