// Does JavaScript cost more in a forked child than in its parent? CPU time of all threads, GC and JIT included.
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { _exit, fork, pipe, waitpid } from 'truefork'
import { fillHeap } from './support/heap.mjs'
import { compared, machineFacts } from './support/measure.mjs'

const rounds = 8
let compiled = 0

// Half of it makes and drops objects, the other half is arithmetic in a function that V8 has never seen.
function work() {
  let live = []
  for (let i = 0; i < 300_000; i++) {
    live.push({ i, name: `n${i % 100}` })
    if (live.length > 50_000) live = []
  }
  const sum = new Function(
    'n',
    `let sum = ${compiled++}; for (let i = 0; i < n; i++) sum = (sum * 31 + i) % 65537; return sum`,
  )
  for (let i = 0; i < 100; i++) sum(20_000)
  return live.length
}

function costs() {
  return Array.from({ length: rounds }, () => {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  })
}

function costsInChild() {
  const [readEnd, writeEnd] = pipe()
  const pid = fork()
  if (pid === 0) {
    writeSync(writeEnd, JSON.stringify(costs()))
    _exit(0)
  }
  closeSync(writeEnd)
  const told = readFileSync(readEnd, 'utf8')
  closeSync(readEnd)
  waitpid(pid)
  return JSON.parse(told)
}

console.log(`child-speed: CPU milliseconds of a round of work; median (middle half)\n${machineFacts()}`)
for (const megabytes of [20, 300]) {
  await fillHeap(megabytes)
  costs()
  const [first, parent, child] = [[], [], []]
  for (let repeat = 0; repeat < 6; repeat++) {
    parent.push(...costs().slice(1))
    const [firstRound, ...others] = costsInChild()
    first.push(firstRound)
    child.push(...others)
  }
  console.log(compared(`${megabytes} MB, first round`, ['child', first], ['parent', parent]))
  console.log(compared(`${megabytes} MB, later rounds`, ['child', child], ['parent', parent]))
}
