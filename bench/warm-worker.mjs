// How soon does a worker with its modules loaded reach its first line, compared with child_process.fork?
// "With modules" is a worker that needs TypeScript's compiler, 9 MB of JavaScript, before it can begin.
import { fork as forkModule } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { _exit, fork, pipe, waitpid } from 'truefork'
import { ForkServer } from 'truefork/multiprocessing'
import { sayHere } from './support/first-line.mjs'
import { alternate, compared, machineFacts, median } from './support/measure.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const workerModule = path('support/first-line.mjs')
const rounds = 25

function byFork() {
  const [readEnd, writeEnd] = pipe()
  sayHere([writeEnd]) // warm is what its parent has done before
  readSync(readEnd, Buffer.alloc(5))
  const start = performance.now()
  const pid = fork()
  if (pid === 0) {
    sayHere([writeEnd])
    _exit(0)
  }
  readSync(readEnd, Buffer.alloc(5))
  const time = performance.now() - start
  closeSync(readEnd)
  closeSync(writeEnd)
  waitpid(pid)
  return time
}

function byServer(server) {
  return async () => {
    const [readEnd, writeEnd] = pipe()
    const lines = new Socket({ fd: readEnd, readable: true })
    const start = performance.now()
    const starting = server.fork({ module: workerModule, export: 'sayHere', fds: [writeEnd] })
    closeSync(writeEnd)
    await once(lines, 'data')
    const time = performance.now() - start
    await (await starting).exited
    lines.destroy()
    return time
  }
}

function byModule(execArgv) {
  return async () => {
    const start = performance.now()
    const child = forkModule(path('support/here.mjs'), { silent: true, execArgv })
    await once(child.stdout, 'data')
    const time = performance.now() - start
    await once(child, 'close')
    return time
  }
}

async function compareWith(words, preload, execArgv) {
  const server = await ForkServer.start({ preload: [workerModule, ...preload] })
  const [byOurs, byNode] = await alternate(rounds, byServer(server), byModule(execArgv))
  await server.close()
  report(words, ['fork server', byOurs], byNode)
}

function report(words, ours, byNode) {
  const times = (median(byNode) / median(ours[1])).toFixed(0)
  console.log(`${compared(words, ours, ['child_process.fork', byNode])}: ${times} times sooner`)
}

console.log(`warm-worker: milliseconds to the first line; median (middle half)\n${machineFacts()}`)
const [forked, modules] = await alternate(rounds, byFork, byModule([]))
report('a bare worker', ['fork', forked], modules)
await compareWith('a bare worker', [], [])
const typescript = createRequire(import.meta.url).resolve('typescript')
await compareWith('with modules', [typescript], ['--require', typescript])
