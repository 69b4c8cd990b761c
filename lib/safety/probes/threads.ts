// Hazards of what other threads are there for, or are at.
import { isMainThread } from 'node:worker_threads'
import { binding } from '../../binding'
import { sleepSync } from '../../sleep-sync'
import { inspectorUrl } from '../inspector'
import { counted, type Finding, listed, type Situation } from '../situation'
import { type KnownThread, knownThreads, named, type ThreadInfo } from '../threads'

export function inWorker(): string | undefined {
  return isMainThread ? undefined : 'this is a Worker, and the main thread would be missing in the child'
}

// V8 asks nothing of its threads under the first flag, and Node has nothing run there under the second; Node starts
// some either way. One flag without the other isn't enough.
export function startedSingleThreaded(): boolean {
  // Both spellings of a flag, and of its value, are good; the second may come from the environment.
  const flags = [...process.execArgv, process.env['NODE_OPTIONS']].join(' ').replaceAll('_', '-')
  return /--single-threaded(?![-\w])/.test(flags) && /--v8-pool-size[= ]0(?!\d)/.test(flags)
}

export function deadV8Workers({ threads }: Situation): string | undefined {
  if (startedSingleThreaded() || threads.length < 2) return undefined
  const reason = binding.whyNotAllThreads()
  const because = reason === null ? '' : `, as ${reason}`
  return `the child has only the main of ${threads.length} threads: its garbage collector and compilers wait for the others sooner or later${because}`
}

export function threadsNotKept(): string | undefined {
  return binding.whyNotAllThreads() ?? undefined
}

export function deadPoolThreads(situation: Situation): string | undefined {
  const pool = inRole(situation, 'libuv-pool')
  if (pool.length === 0) return undefined
  return `${counted(pool.length, 'thread')} of libuv's pool would be missing in the child, which starts new ones when it first needs them`
}

export function liveWorkers(situation: Situation): Finding | undefined {
  const workers = inRole(situation, 'worker')
  if (workers.length === 0) return undefined
  const names = listed(workers.map(named))
  return situation.kept === 'all'
    ? { detail: `${counted(workers.length, 'Worker')} would run on in parent and child alike: ${names}` }
    : missing(
        `${counted(workers.length, 'Worker')} would be missing in the child, which waits for their answers and for their end: ${names}`,
      )
}

export function openInspector({ kept }: Situation): string | undefined {
  const url = inspectorUrl()
  if (url === undefined) return undefined
  const consequence =
    kept === 'all'
      ? "that stays the parent's, and the child opens an inspector of its own"
      : 'the thread that serves it would be missing in the child, which stops for ever at a breakpoint'
  return `a debugger may connect to ${url}: ${consequence}`
}

export function unstoppableThread({ threads }: Situation): Finding | undefined {
  const found = stillUnstoppable(threads.filter(({ stoppable }) => !stoppable))
  const [first] = found
  return (
    first && {
      detail: `no signal stops ${listed(found.map(named))}, which blocks the one that a fork sends (32)`,
      tid: first.tid,
    }
  )
}

/** One that returns from the stop of a fork that has failed blocks all signals for a moment. */
function stillUnstoppable(found: readonly KnownThread[]): readonly KnownThread[] {
  let left = found
  for (let pause = 1; left.length > 0 && pause <= 32; pause *= 2) {
    sleepSync(pause)
    const now = knownThreads()
    left = left.filter(({ tid }) => now.some((thread) => thread.tid === tid && !thread.stoppable))
  }
  return left
}

export function foreignThreads({ kept, threads }: Situation): Finding | undefined {
  const found = threads.filter(({ foreignFile }) => foreignFile !== null)
  const [first] = found
  if (first === undefined) return undefined
  const names = listed(found.map((thread) => `${named(thread)} of ${thread.foreignFile}`))
  const whose = `${counted(found.length, 'thread')} of native code that isn't Node's`
  const finding =
    kept === 'all'
      ? {
          detail: `${whose} would go on in parent and child alike, and what one does to files and devices both do: ${names}`,
        }
      : missing(
          `${whose} would be missing in the child, and whatever asks them for something there waits for ever: ${names}`,
        )
  return { ...finding, tid: first.tid }
}

export function uninterruptibleIo({ threads }: Situation): Finding | undefined {
  const found = threads.filter(({ state }) => state === 'D')
  const [first] = found
  if (first === undefined) return undefined
  return {
    detail: `${listed(found.map(named))} is in a system call that no signal interrupts; a fork waits two seconds for its end, and is refused then`,
    tid: first.tid,
    severity: 'notice', // most such calls end at once
  }
}

function inRole({ threads }: Situation, role: ThreadInfo['role']): ThreadInfo[] {
  return threads.filter((thread) => thread.role === role)
}

/** Where V8's threads are missing, dead-v8-workers says all there is to say: such a child soon execs or ends. */
function missing(detail: string): Finding {
  return startedSingleThreaded() ? { detail } : { detail, severity: 'notice' }
}
