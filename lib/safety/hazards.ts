// What makes a fork unsafe: one table. Each hazard has an id, a severity, a probe and a remedy.
import { isMainThread } from 'node:worker_threads'
import { binding, type RawDescriptor, type RawThread } from '../binding'
import { checked } from '../errors'

/** A hazard's name, for `accept`. */
export type HazardId =
  | 'not-main-thread'
  | 'dead-v8-workers'
  | 'dead-pool-threads'
  | 'live-workers'
  | 'inspector-open'
  | 'threads-not-kept'
  | 'unstoppable-thread'
  | 'foreign-threads'
  | 'uninterruptible-io'
  | 'inflight-requests'
  | 'pending-writes'
  | 'shared-sockets'
  | 'tls-sessions'
  | 'io-uring'
  | 'unrebuilt-descriptor'
  | 'record-locks'
  | 'locked-mutex'
  | 'native-lock-held'
  | 'dontfork-mappings'
  | 'huge-pages'
  | 'low-memory'
  | 'nproc-limit'
  | 'objc-initialize'
  | 'doubled-random'

export interface Hazard {
  id: HazardId
  /** 'fatal' can't be accepted, 'unsafe' refuses the fork unless accepted, 'notice' only tells. */
  severity: 'fatal' | 'unsafe' | 'notice'
  detail: string
  remedy: string
  tid?: number
}

export interface ThreadInfo {
  /** The kernel's id. */
  tid: number
  name: string
  role: 'main' | 'v8-worker' | 'libuv-pool' | 'worker' | 'inspector' | 'signal' | 'other'
  /** As in proc_pid_status(5): R, S, D, T, t, Z, X; '?' where the system doesn't tell. */
  state: string
}

export interface HazardReport {
  /** True when fork would go ahead without a word. */
  safe: boolean
  hazards: Hazard[]
  threads: ThreadInfo[]
}

/** Which threads the child is to have. */
export type Threads = 'all' | 'caller'

interface Situation {
  kept: Threads
  /** Every thread of this process, told by the kernel when first asked. */
  readonly threads: readonly ThreadInfo[]
}

interface Row {
  id: HazardId
  severity: Hazard['severity']
  remedy: string
  /** What was found, or undefined where the hazard isn't there. Without it only the fork itself finds out. */
  probe?(situation: Situation): string | undefined
  /** The fork itself finds it, too, so that it needn't be looked for before. */
  metByFork?: true
}

const table: readonly Row[] = [
  {
    id: 'not-main-thread',
    severity: 'fatal',
    remedy: 'Fork in the main thread, and ask it to from here by a message.',
    probe: () => (isMainThread ? undefined : 'this is a Worker, and the main thread would be missing in the child'),
  },
  {
    id: 'dead-v8-workers',
    severity: 'unsafe',
    remedy:
      'Start Node with --single-threaded --v8-pool-size=0, or let the child call exec or _exit at once and pass accept: ["dead-v8-workers"].',
    probe: ({ kept, threads }) => {
      if (kept === 'all' || startedSingleThreaded() || threads.length < 2) return undefined
      const reason = binding.whyNotAllThreads()
      const because = reason === null ? '' : `, as ${reason}`
      return `the child has only the main of ${threads.length} threads: its garbage collector and compilers wait for the others sooner or later${because}`
    },
  },
  {
    id: 'threads-not-kept',
    severity: 'fatal',
    remedy: "Fork with threads: 'caller', whose child may call exec or _exit, or use posix_spawn.",
    probe: ({ kept }) => (kept === 'all' ? (binding.whyNotAllThreads() ?? undefined) : undefined),
  },
  {
    id: 'unstoppable-thread',
    severity: 'fatal',
    remedy: 'Wait until it is done with what it does, or end it, and fork again.',
  },
  {
    id: 'inflight-requests',
    severity: 'unsafe',
    remedy: 'Await the requests before forking, or give a larger drainMs.',
  },
  {
    id: 'io-uring',
    metByFork: true,
    severity: 'unsafe',
    remedy: 'Start Node with UV_USE_IO_URING=0.',
    probe: () =>
      describeDescriptors(({ kind }) => kind === 'io_uring', 'a ring of io_uring is one for parent and child'),
  },
  {
    id: 'unrebuilt-descriptor',
    metByFork: true,
    severity: 'notice',
    remedy: 'Close it in parent or child before either uses it.',
    probe: ({ kept }) =>
      kept === 'all'
        ? describeDescriptors(({ kind }) => kind !== 'io_uring', 'parent and child take events from each other by')
        : undefined,
  },
]

function describeDescriptors(wanted: (found: RawDescriptor) => boolean, words: string): string | undefined {
  const found = binding.unrebuiltDescriptors().filter(wanted)
  if (found.length === 0) return undefined
  return `${words}: ${found.map(({ fd, kind }) => `${fd} (${kind})`).join(', ')}`
}

// V8 asks nothing of its threads under the first flag, and Node has nothing run there under the second; Node starts
// some either way. One flag without the other isn't enough.
export function startedSingleThreaded(): boolean {
  // Both spellings of a flag, and of its value, are good; the second may come from the environment.
  const flags = [...process.execArgv, process.env['NODE_OPTIONS']].join(' ').replaceAll('_', '-')
  return /--single-threaded(?![-\w])/.test(flags) && /--v8-pool-size[= ]0(?!\d)/.test(flags)
}

export const hazardIds: readonly HazardId[] = table.map(({ id }) => id)

/** A hazard that the fork itself met. */
export function metHazard(id: HazardId, detail: string, tid?: number): Hazard {
  const { severity, remedy } = table.find((row) => row.id === id) as Row
  return { id, severity, detail, remedy, ...(tid === undefined ? {} : { tid }) }
}

/** Every thread of this process, the main one first. Throws PosixError if they can't be listed. */
export function listThreads(): ThreadInfo[] {
  const [failure, ...rows] = binding.threads()
  checked(failure, 'opendir', '/proc/self/task')
  return rows.map(toThreadInfo)
}

/**
 * What a fork would meet now.
 *
 * @param kept which threads the child would have
 * @param beforeFork true to leave out what the fork finds out by itself
 */
export function findHazards(kept: Threads, beforeFork = false): Hazard[] {
  let threads: ThreadInfo[] | undefined
  const situation = {
    kept,
    get threads() {
      threads ??= listThreads()
      return threads
    },
  }
  return table.flatMap(({ id, severity, remedy, probe, metByFork }) => {
    const detail = beforeFork && metByFork ? undefined : probe?.(situation)
    return detail === undefined ? [] : [{ id, severity, detail, remedy }]
  })
}

// Node names its threads since 22; the kernel cuts a name at 15 characters.
const roles: Readonly<Record<string, ThreadInfo['role']>> = {
  'libuv-worker': 'libuv-pool',
  DelayedTaskSche: 'v8-worker',
  SignalInspector: 'signal',
  V8Worker: 'v8-worker',
}

function toThreadInfo({ tid, name, state }: RawThread, index: number): ThreadInfo {
  return { tid, name, state, role: index === 0 ? 'main' : (roles[name] ?? 'other') }
}
