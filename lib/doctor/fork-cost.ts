// What a fork costs here: timed on this process, estimated for another by its memory.
import { _exit, fork } from '../fork'
import { numberIn, textOf } from '../safety/probes/kernel-text'
import { posix_spawnp } from '../spawn'
import { waitpid } from '../wait'

/** All in milliseconds, until the call returns in the parent. */
export interface ForkCost {
  /** True: forks of this very process were timed. False: told by the memory of the other, at this process's rate. */
  measured: boolean
  fork: number
  /** Of a posix_spawn of true(1), which copies no memory. */
  posixSpawn: number
  /** Kilobytes of memory of its own: what a fork has to copy the tables of. */
  anonymousKilobytes: number
  pageTableKilobytes: number
}

const rounds = 7
const ballastMegabytes = 64

interface Memory {
  anonymousKilobytes: number
  pageTableKilobytes: number
}

/** What /proc/PID/status tells of a process's memory; 0 where it doesn't. */
function memoryOf(pid: number): Memory {
  const status = textOf(`/proc/${pid}/status`) // nothing on macOS, or where it has ended
  return {
    anonymousKilobytes: numberIn(status, 'RssAnon') ?? 0,
    pageTableKilobytes: numberIn(status, 'VmPTE') ?? 0,
  }
}

/** Times forks of this process, which the caller has found fit for it. */
export function measureForkCost(): ForkCost {
  return { measured: true, fork: timeForks(), posixSpawn: timeSpawns(), ...memoryOf(process.pid) }
}

/** What a fork of another process would cost, as far as its memory tells. */
export function estimateForkCost(pid: number): ForkCost {
  const own = measureForkCost()
  const ballast = Buffer.alloc(ballastMegabytes * 2 ** 20, 1)
  const perKilobyte = Math.max(0, (timeForks() - own.fork) / (ballast.length / 1024))
  const memory = memoryOf(pid)
  const more = memory.anonymousKilobytes - own.anonymousKilobytes
  return { ...own, ...memory, measured: false, fork: Math.max(own.fork / 4, own.fork + more * perKilobyte) }
}

function timeForks(): number {
  return median(() => {
    const start = performance.now()
    const pid = fork({ hazards: 'ignore' })
    if (pid === 0) _exit(0)
    const time = performance.now() - start
    waitpid(pid)
    return time
  })
}

function timeSpawns(): number {
  return median(() => {
    const start = performance.now()
    const pid = posix_spawnp('true', ['true'])
    const time = performance.now() - start
    waitpid(pid)
    return time
  })
}

/** The first round isn't counted: it prepares what the others find prepared. */
function median(time: () => number): number {
  time()
  const times = Array.from({ length: rounds }, time).sort((a, b) => a - b)
  return times[Math.floor(rounds / 2)] as number
}
