// The threads of this process, and what each is there for.
import { binding, type RawThreadOrigin } from '../binding'
import { checked } from '../errors'
import { inspectorUrl } from './inspector'

export interface ThreadInfo {
  /** The kernel's id. */
  tid: number
  name: string
  role: 'main' | 'v8-worker' | 'libuv-pool' | 'worker' | 'inspector' | 'signal' | 'other'
  /** As in proc_pid_status(5): R, S, D, T, t, Z, X; '?' where the system doesn't tell. */
  state: string
}

/** A thread, and what only its hazards need to know of it. */
export interface KnownThread extends ThreadInfo {
  /** Whether the signal reaches it by which a fork stops threads. */
  stoppable: boolean
  /** The file of the code that it was started for, where that is neither Node nor the C library; null: it is, or unknown. */
  foreignFile: string | null
}

/** Every thread of this process, the main one first. Throws PosixError if they can't be listed. */
export function knownThreads(): KnownThread[] {
  const [failure, ...rows] = binding.threads()
  checked(failure, 'opendir', '/proc/self/task')
  const origins = rows.flatMap(({ origin }) => origin ?? [])
  return rows.map(({ tid, name, state, stoppable, origin }, index) => {
    const roleOfOther = origin === null ? (roleByName(name) ?? 'other') : roleByOrigin(origin, name, origins)
    return { tid, name, role: index === 0 ? 'main' : roleOfOther, state, stoppable, foreignFile: origin?.file || null }
  })
}

/** {@link knownThreads} as the public interface has them. */
export function listThreads(): ThreadInfo[] {
  return knownThreads().map(toThreadInfo)
}

export function toThreadInfo({ tid, name, role, state }: KnownThread): ThreadInfo {
  return { tid, name, role, state }
}

/** `"V8Worker" (tid 12)` */
export function named({ name, tid }: ThreadInfo): string {
  return `"${name}" (tid ${tid})`
}

// Node names its threads since 24, some since 22.
const rolesByName: readonly [name: RegExp, role: ThreadInfo['role']][] = [
  [/V8Worker$|^DelayedTaskSche/, 'v8-worker'],
  [/^libuv-worker/, 'libuv-pool'],
  [/^InspectorIo/, 'inspector'],
  [/^SignalInspector/, 'signal'],
]

function roleByName(name: string): ThreadInfo['role'] | undefined {
  return rolesByName.find(([known]) => known.test(name))?.[1]
}

/**
 * The roles of Node's own threads, told by how each was started: names are missing before 24, and a Worker has what
 * name its maker likes.
 */
function roleByOrigin(origin: RawThreadOrigin, name: string, all: readonly RawThreadOrigin[]): ThreadInfo['role'] {
  if (origin.code !== 'runtime') return 'other'
  if (origin.argument === 0) return 'signal'
  if (isOfPool(origin, all)) return 'libuv-pool'
  if (origin.ofObject) return 'worker'
  const own = all.filter(({ code }) => code === 'runtime').sort((one, other) => one.order - other.order)
  // Before any other thread Node starts the one for V8's delayed tasks, and next V8's workers, which are alike.
  const isV8s = own.slice(0, 2).some(({ start }) => start === origin.start)
  return roleByName(name) ?? (isV8s ? 'v8-worker' : inspectorUrl() !== undefined ? 'inspector' : 'other')
}

/** libuv starts all of its pool with the address of one semaphore, which is on the stack. */
function isOfPool({ start, argument, onStack }: RawThreadOrigin, all: readonly RawThreadOrigin[]): boolean {
  const alike = all.filter((other) => other.start === start && other.argument === argument)
  return alike.length > 1 || (onStack && process.env['UV_THREADPOOL_SIZE'] === '1')
}
