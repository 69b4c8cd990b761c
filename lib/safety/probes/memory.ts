// Hazards of memory, and of how many processes there may be: what the copy lacks, or has no room for.
import { readdirSync } from 'node:fs'
import { binding } from '../../binding'
import { RLIMIT_NPROC } from '../../constants'
import { counted, type Finding, listed, megabytes, type Situation } from '../situation'
import { cgroupFolders, limitOf, numberIn, textOf } from './kernel-text'

export function dontforkMappings(): string | undefined {
  const ranges = binding.memoryLeftOut()
  if (ranges.length === 0) return undefined
  const kilobytes = ranges.reduce((sum, { start, end }) => sum + (end - start) / 1024, 0)
  const places = ranges.map(
    ({ start, end, name }) => `${start.toString(16)}-${end.toString(16)}${name && ` (${name})`}`,
  )
  return `${megabytes(kilobytes)} that native code has marked MADV_DONTFORK would be missing in the child, which crashes where it touches them: ${listed(places)}`
}

export function hugePages(): Finding | undefined {
  const [own, free] = binding.hugePages()
  if (own === 0) return undefined
  const words = `this process has ${megabytes(own)} of its own in huge pages, of which the system has ${megabytes(free)} left`
  return own <= free
    ? { detail: `${words}: each that parent or child writes to is copied`, severity: 'notice' }
    : { detail: `${words}: the child is killed (SIGBUS) once a page that parent or child writes to can't be copied` }
}

export function lowMemory(): string | undefined {
  const own = textOf('/proc/self/status')
  const system = textOf('/proc/meminfo')
  const anonymous = numberIn(own, 'RssAnon') ?? 0
  const promised = (numberIn(own, 'VmData') ?? 0) + (numberIn(own, 'VmStk') ?? 0)
  const neverOvercommits = textOf('/proc/sys/vm/overcommit_memory').trim() === '2'
  const left = (numberIn(system, 'CommitLimit') ?? 0) - (numberIn(system, 'Committed_AS') ?? 0)
  if (neverOvercommits && left < promised) {
    return `the kernel promises no more memory than it has (vm.overcommit_memory is 2), and of the ${megabytes(promised)} that a copy needs it has ${megabytes(Math.max(0, left))} left`
  }
  const rooms = [
    {
      kilobytes: (numberIn(system, 'MemAvailable') ?? Infinity) + (numberIn(system, 'SwapFree') ?? 0),
      whose: 'the system',
    },
    ...cgroupFolders('memory').map((folder) => ({ kilobytes: roomIn(folder), whose: `the control group ${folder}` })),
  ]
  const [least] = rooms.sort((one, other) => one.kilobytes - other.kilobytes)
  if (least === undefined || anonymous <= least.kilobytes) return undefined
  return `parent and child need up to ${megabytes(anonymous)} more as they write to their memory, and ${least.whose} has ${megabytes(Math.max(0, least.kilobytes))} left`
}

/** Kilobytes that a control group may still have, with files that nobody has used for long given up. */
function roomIn(folder: string): number {
  const limit = Math.min(limitOf(`${folder}/memory.max`), limitOf(`${folder}/memory.limit_in_bytes`))
  if (limit > mostMemory) return Infinity
  const usage = Math.min(limitOf(`${folder}/memory.current`), limitOf(`${folder}/memory.usage_in_bytes`))
  if (usage === Infinity) return Infinity
  const statistics = textOf(`${folder}/memory.stat`)
  const files = numberIn(statistics, 'total_inactive_file') ?? numberIn(statistics, 'inactive_file') ?? 0
  return (limit - usage + files) / 1024
}

/** The first kind of control groups has a number for no limit: the largest of pages that fits into 63 bits. */
const mostMemory = 2 ** 60

export function nprocLimit({ kept, threads }: Situation): string | undefined {
  const needed = kept === 'all' ? threads.length : 1
  const wanted = kept === 'all' ? `the ${counted(needed, 'thread')} of a child` : 'a child'
  const [failure, soft] = binding.getrlimit(RLIMIT_NPROC)
  const limit = failure === 0 ? Number(soft) : Infinity
  if (!hasRoomUnderLimit(limit, needed)) {
    return `this user may have ${limit} processes and threads (RLIMIT_NPROC), which leaves no room for ${wanted}`
  }
  const full = cgroupFolders('pids').find(
    (folder) => limitOf(`${folder}/pids.max`) - limitOf(`${folder}/pids.current`) < needed,
  )
  if (full === undefined) return undefined
  return `the control group ${full} may have ${limitOf(`${full}/pids.max`)} processes and threads, which leaves no room for ${wanted}`
}

function hasRoomUnderLimit(limit: number, needed: number): boolean {
  // All threads of the system, as "running/all": most limits are far above that.
  const [, all] = /^\S+ \S+ \S+ \d+\/(\d+)/.exec(textOf('/proc/loadavg')) ?? []
  if (Number(all ?? 0) + needed <= limit || isExempt()) return true
  const uid = process.getuid?.()
  const threads = readdirSync('/proc').map((name) => {
    const status = /^\d+$/.test(name) ? textOf(`/proc/${name}/status`) : ''
    return numberIn(status, 'Uid') === uid ? (numberIn(status, 'Threads') ?? 0) : 0
  })
  return threads.reduce((sum, count) => sum + count, 0) + needed <= limit
}

/** The limit isn't for root, nor for who may exceed limits; setrlimit(2). */
function isExempt(): boolean {
  const [, mask = '0'] = /^CapEff:\s*([\da-f]+)/m.exec(textOf('/proc/self/status')) ?? []
  const [CAP_SYS_ADMIN, CAP_SYS_RESOURCE] = [1n << 21n, 1n << 24n]
  return process.getuid?.() === 0 || (BigInt(`0x${mask}`) & (CAP_SYS_ADMIN | CAP_SYS_RESOURCE)) !== 0n
}
