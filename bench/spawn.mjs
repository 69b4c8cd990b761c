// What does a process cost? Ours beside node:child_process, each from the call to the end or to its first line.
import { fork as forkModule, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readSync, writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { _exit, fork, pipe, posix_spawnp, waitpid } from 'truefork'
import { alternate, compared, machineFacts, timed } from './support/measure.mjs'

const hereModule = fileURLToPath(new URL('support/here.mjs', import.meta.url))
const line = Buffer.from('here\n')

function posixSpawn() {
  waitpid(posix_spawnp('true', ['true']))
}

function forkAndExit() {
  const pid = fork()
  if (pid === 0) _exit(0)
  waitpid(pid)
}

// Only to the first line: the end isn't timed.
function forkToFirstLine() {
  const [readEnd, writeEnd] = pipe()
  const start = performance.now()
  const pid = fork()
  if (pid === 0) {
    writeSync(writeEnd, line)
    _exit(0)
  }
  readSync(readEnd, Buffer.alloc(line.length))
  const time = performance.now() - start
  closeSync(readEnd)
  closeSync(writeEnd)
  waitpid(pid)
  return time
}

async function moduleToFirstLine() {
  const start = performance.now()
  const child = forkModule(hereModule, { silent: true })
  await once(child.stdout, 'data')
  const time = performance.now() - start
  await once(child, 'close')
  return time
}

console.log(`spawn: milliseconds; median (middle half)\n${machineFacts()}`)
const [ours, nodes] = await alternate(
  40,
  () => timed(posixSpawn),
  () => timed(() => spawnSync('true')),
)
console.log(compared("a program's whole life", ['posix_spawn', ours], ['spawnSync', nodes]))
const [forked, forkedModules] = await alternate(15, forkToFirstLine, moduleToFirstLine)
console.log(compared('to the first line', ['fork', forked], ['child_process.fork', forkedModules]))
const [ended, endedPrograms] = await alternate(
  30,
  () => timed(forkAndExit),
  () => timed(posixSpawn),
)
console.log(compared("a child's whole life", ['fork, _exit', ended], ['posix_spawn', endedPrograms]))
