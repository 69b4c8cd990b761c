// What makes a fork unsafe: one table. Each hazard has an id, by which docs/hazards.md has its entry, a severity for
// either kind of child, a remedy, and a probe that says in detail what was found.
import {
  ioUring,
  pendingWrites,
  recordLocks,
  sharedSockets,
  tlsSessions,
  unrebuiltDescriptor,
} from './probes/descriptors'
import { lockedMutex, nativeLockHeld } from './probes/locks'
import { dontforkMappings, hugePages, lowMemory, nprocLimit } from './probes/memory'
import { doubledRandom, objcInitialize } from './probes/runtime'
import {
  deadPoolThreads,
  deadV8Workers,
  foreignThreads,
  inWorker,
  liveWorkers,
  openInspector,
  threadsNotKept,
  uninterruptibleIo,
  unstoppableThread,
} from './probes/threads'
import { type Finding, type Probe, situationFor, type Threads } from './situation'
import { type ThreadInfo, toThreadInfo } from './threads'

export type { Threads } from './situation'
export type { ThreadInfo } from './threads'

type Severity = 'fatal' | 'unsafe' | 'notice'

export interface Hazard {
  id: HazardId
  /** 'fatal' can't be accepted, 'unsafe' refuses the fork unless accepted, 'notice' only tells. */
  severity: Severity
  /** What was found, where, and what comes of it. */
  detail: string
  remedy: string
  /** The thread that it is about. */
  tid?: number
}

export interface HazardReport {
  /** True when fork would go ahead without a word, as far as can be told. */
  safe: boolean
  hazards: Hazard[]
  threads: ThreadInfo[]
}

interface Row {
  /** The worst that it can be for a child with all threads, and with the caller alone; null: it is none there. */
  all: Severity | null
  caller: Severity | null
  remedy: string
  /** Without it only the fork itself finds out. */
  probe?: Probe
  /** The fork itself finds it under 'all', too, so that it needn't be looked for before. */
  metByFork?: true
}

// As const: the ids are the type.
const table = {
  'not-main-thread': {
    all: 'fatal',
    caller: 'fatal',
    probe: inWorker,
    remedy: 'Fork in the main thread, and ask it to from here by a message.',
  },
  'dead-v8-workers': {
    all: null,
    caller: 'unsafe',
    probe: deadV8Workers,
    remedy:
      'Start Node with --single-threaded --v8-pool-size=0, or let the child call exec or _exit at once and pass accept: ["dead-v8-workers"].',
  },
  'dead-pool-threads': {
    all: null,
    caller: 'notice',
    probe: deadPoolThreads,
    remedy: 'Nothing needs to be done.',
  },
  'live-workers': {
    all: 'notice',
    caller: 'unsafe',
    probe: liveWorkers,
    remedy: 'Terminate the Workers before forking, or let the child leave theirs alone.',
  },
  'inspector-open': {
    all: 'notice',
    caller: 'notice',
    probe: openInspector,
    remedy: 'Close it by inspector.close() before forking.',
  },
  'threads-not-kept': {
    all: 'fatal',
    caller: null,
    probe: threadsNotKept,
    remedy: "Fork with threads: 'caller', whose child may call exec or _exit, or use posix_spawn.",
  },
  'unstoppable-thread': {
    all: 'fatal',
    caller: null,
    probe: unstoppableThread,
    metByFork: true,
    remedy: 'Wait until it is done with what it does, or end it, and fork again.',
  },
  'foreign-threads': {
    all: 'notice',
    caller: 'unsafe',
    probe: foreignThreads,
    remedy: 'Load what starts them after forking, or have it end them before.',
  },
  'uninterruptible-io': {
    all: 'fatal',
    caller: null,
    probe: uninterruptibleIo,
    metByFork: true,
    remedy: 'Wait until the call has ended, and fork again.',
  },
  'inflight-requests': {
    all: 'unsafe',
    caller: 'unsafe',
    remedy: 'Await the requests before forking, or give a larger drainMs.',
  },
  'pending-writes': {
    all: 'unsafe',
    caller: 'unsafe',
    probe: pendingWrites,
    remedy: "Fork when the writes are done, as their callbacks and 'drain' tell.",
  },
  'shared-sockets': {
    all: 'notice',
    caller: 'notice',
    probe: sharedSockets,
    remedy: 'Close each in parent or child, whichever is not to serve it.',
  },
  'tls-sessions': {
    all: 'notice',
    caller: 'notice',
    probe: tlsSessions,
    remedy: 'Let one of the two alone use a connection, and open a new one in the other.',
  },
  'io-uring': {
    all: 'unsafe',
    caller: 'unsafe',
    probe: ioUring,
    metByFork: true,
    remedy: 'Start Node with UV_USE_IO_URING=0.',
  },
  'unrebuilt-descriptor': {
    all: 'notice',
    caller: null,
    probe: unrebuiltDescriptor,
    remedy: 'Close it in parent or child before either uses it.',
  },
  'record-locks': {
    all: 'notice',
    caller: 'notice',
    probe: recordLocks,
    remedy: 'Lock anew in the child, in a file that it has opened itself; open a database anew there.',
  },
  'locked-mutex': {
    all: 'notice',
    caller: 'unsafe',
    probe: lockedMutex,
    remedy:
      'Fork while nobody holds it: take it in a before hook of registerAtFork, and give it back in both after hooks.',
  },
  'native-lock-held': {
    all: null,
    caller: 'unsafe',
    probe: nativeLockHeld,
    remedy: 'Fork when the thread that holds it has come to rest.',
  },
  'dontfork-mappings': {
    all: 'notice',
    caller: 'notice',
    probe: dontforkMappings,
    remedy: 'Let the child leave alone what the native code made, and make its own.',
  },
  'huge-pages': {
    all: 'unsafe',
    caller: 'unsafe',
    probe: hugePages,
    remedy: 'Give the system more of them (vm.nr_hugepages), or map them shared.',
  },
  'low-memory': {
    all: 'notice',
    caller: 'notice',
    probe: lowMemory,
    remedy: 'Fork earlier, while this process is small, or let the child exec soon.',
  },
  'nproc-limit': {
    all: 'notice',
    caller: 'notice',
    probe: nprocLimit,
    remedy: 'End processes or threads, or raise the limit.',
  },
  'objc-initialize': {
    all: null,
    caller: 'notice',
    probe: objcInitialize,
    remedy: 'Let the child exec at once, or start Node with OBJC_DISABLE_INITIALIZE_FORK_SAFETY=YES.',
  },
  'doubled-random': {
    all: 'unsafe',
    caller: 'unsafe',
    probe: doubledRandom,
    remedy: 'Draw by node:crypto, or seed a generator of your own in an afterInChild hook of registerAtFork.',
  },
} as const satisfies Record<string, Row>

/** A hazard's name, for `accept`. */
export type HazardId = keyof typeof table

export const hazardIds = Object.keys(table) as readonly HazardId[]

/** A hazard that the fork itself met, with all that the table says of it. */
export function metHazard(id: HazardId, detail: string, tid?: number): Hazard {
  const { all, caller, remedy }: Row = table[id]
  return toHazard(id, all ?? caller ?? 'fatal', remedy, tid === undefined ? { detail } : { detail, tid })
}

/** How much is to be known: all; what would refuse a fork or be warned of; or what such a fork doesn't find by itself. */
export type Extent = 'all' | 'refusing' | 'unmet'

/**
 * What a fork would meet now.
 *
 * @param kept which threads the child would have
 * @param extent of the search: what only a notice can come of needn't be looked for at a fork
 */
export function findHazards(kept: Threads, extent: Extent): Pick<HazardReport, 'hazards' | 'threads'> {
  const situation = situationFor(kept)
  const hazards = hazardIds.flatMap((id) => {
    const { probe, remedy, metByFork, [kept]: severity }: Row = table[id]
    if (severity === null || (severity === 'notice' && extent !== 'all')) return []
    const willBeMet = metByFork && kept === 'all' && extent === 'unmet'
    const found = willBeMet ? undefined : probe?.(situation)
    if (found === undefined) return []
    return [toHazard(id, severity, remedy, typeof found === 'string' ? { detail: found } : found)]
  })
  return {
    hazards,
    get threads() {
      return situation.threads.map(toThreadInfo)
    },
  }
}

function toHazard(id: HazardId, severity: Severity, remedy: string, finding: Finding): Hazard {
  const { detail, tid } = finding
  return { id, severity: finding.severity ?? severity, detail, remedy, ...(tid === undefined ? {} : { tid }) }
}
