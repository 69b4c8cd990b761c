// What there is to know of one process: this one, or any other.
import { readFileSync, statSync } from 'node:fs'
import { ProcessView } from '../diagnosis/process-view'
import { type FdKind, fdTable, kindOf } from '../fd-table'
import { forkHazards } from '../fork'
import { type Diagnosis, diagnose, type ThreadDiagnosis } from '../safety/diagnose'
import type { Hazard } from '../safety/hazards'
import { listThreads, type ThreadInfo } from '../safety/threads'
import { estimateForkCost, type ForkCost, measureForkCost } from './fork-cost'

export interface ThreadReport extends ThreadDiagnosis {
  role: ThreadInfo['role']
}

export interface DescriptorReport {
  fd: number
  kind: FdKind
  target: string
}

export interface ProcessReport extends Omit<Diagnosis, 'threads'> {
  /** As in its arguments, separated by spaces. */
  command: string
  threads: ThreadReport[]
  /** Null: they may not be seen. */
  descriptors: DescriptorReport[] | null
  /** Null: only a process itself can tell what its fork would meet. */
  hazards: Hazard[] | null
  forkCost: ForkCost
}

/** This process, as a plain Node. */
export function describeOwnProcess(): ProcessReport {
  const { hazards } = forkHazards()
  const roles = new Map(listThreads().map(({ tid, role }) => [tid, role]))
  const diagnosis = diagnose(process.pid)
  return {
    ...diagnosis,
    command: commandOf(process.pid),
    threads: diagnosis.threads.map((thread) => {
      const role = roles.get(thread.tid) ?? 'other'
      return { ...thread, role: role === 'other' ? roleOf(thread, process.pid) : role }
    }),
    descriptors: fdTable().map(({ fd, kind, target }) => ({ fd, kind, target })),
    hazards,
    forkCost: measureForkCost(),
  }
}

export function describeProcess(pid: number): ProcessReport {
  if (pid === process.pid) return describeOwnProcess()
  const diagnosis = diagnose(pid)
  return {
    ...diagnosis,
    command: commandOf(pid),
    threads: diagnosis.threads.map((thread) => ({ ...thread, role: roleOf(thread, pid) })),
    descriptors: descriptorsOf(pid),
    hazards: null,
    forkCost: estimateForkCost(pid),
  }
}

// Node names its threads since 22; before, the function that a thread waits in tells.
const rolesByFunction: readonly [pattern: RegExp, role: ThreadInfo['role']][] = [
  [/PlatformWorkerThread$/, 'v8-worker'],
  [/^worker$/, 'libuv-pool'],
  [/StartIoThreadMain$/, 'signal'],
]
const rolesByName: readonly [pattern: RegExp, role: ThreadInfo['role']][] = [
  [/V8Worker$|^DelayedTaskSche/, 'v8-worker'],
  [/^libuv-worker$/, 'libuv-pool'],
  [/^SignalInspector$/, 'signal'],
  [/^WorkerThread$/, 'worker'],
]

function roleOf({ tid, name, functions }: ThreadDiagnosis, pid: number): ThreadInfo['role'] {
  if (tid === pid) return 'main'
  const named = rolesByName.find(([pattern]) => pattern.test(name))
  const found = named ?? rolesByFunction.find(([pattern]) => functions.some((each) => pattern.test(each)))
  return found?.[1] ?? 'other'
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ')
  } catch {
    return '' // it has ended, or is hidden
  }
}

function descriptorsOf(pid: number): DescriptorReport[] | null {
  const view = new ProcessView(pid)
  // A process whose folder can't be read seems to have none.
  const fds = view.descriptors()
  if (fds.length === 0 && view.link('exe') === null) return null
  return fds.flatMap((fd) => {
    const target = view.link(`fd/${fd}`)
    return target === null ? [] : [{ fd, kind: kindOf({ target, ...looks(pid, fd, target) }), target }]
  })
}

function looks(pid: number, fd: number, target: string): { mode: number; terminal: boolean } {
  try {
    return { mode: statSync(`/proc/${pid}/fd/${fd}`).mode, terminal: /^\/dev\/(pts\/|tty)/.test(target) }
  } catch {
    return { mode: 0, terminal: false }
  }
}
