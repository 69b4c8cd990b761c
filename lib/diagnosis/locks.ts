// Which lock a futex is part of: told by the function that waits and by the memory around it, in glibc's layout
// (bits/struct_mutex.h, bits/struct_rwlock.h; glibc 2.28 to 2.41 on 64-bit).
import { binding } from '../binding'
import type { ProcessView, RawCall } from './process-view'
import type { LockOwner, ThreadsByTid } from './threads-by-tid'

/**
 * What a thread waits for. 'thread': another one's end; 'allocator': malloc's own lock; 'multiprocessing': a lock of
 * truefork/multiprocessing in shared memory; 'unknown': a futex of nothing that is known.
 */
export type LockKind =
  | 'mutex'
  | 'rwlock'
  | 'condition'
  | 'semaphore'
  | 'barrier'
  | 'once'
  | 'thread'
  | 'atomics'
  | 'allocator'
  | 'multiprocessing'
  | 'unknown'

export interface LockWait {
  kind: LockKind
  /** Where it is, as a hexadecimal number: the lock, or, where its borders aren't known, the futex. */
  address: string
  /** The futex that the kernel was given. */
  futex: string
  /** The value there. */
  value: number
  /** The mapping that it lies in, as in /proc: a path, `[heap]`, or 'anonymous'. */
  mapping: string
  /** True: other processes may have it, too. */
  shared: boolean
  /** True: it waits no longer than a time. */
  timed: boolean
  /** Who holds it; null: nobody, or the lock doesn't tell. */
  owner: LockOwner | null
  /** Of a rwlock: how many hold it for reading. */
  readers?: number
}

/** What the caller needs to see whether anything has changed since. */
export interface FoundLock extends LockWait {
  bytes: string
}

const facts = binding.diagnosisFacts()

/** In bytes, of those whose borders are known. */
const sizes: Partial<Record<LockKind, number>> = { mutex: 24, rwlock: 56 }

const operations = { wait: 0, lockPi: 6, waitBitset: 9, waitRequeuePi: 11, lockPi2: 13 }
const privateFlag = 128
const flags = privateFlag | 256 // FUTEX_CLOCK_REALTIME
const tidMask = 0x3fffffff // FUTEX_TID_MASK

/** By the names of functions, the innermost first. */
const waitingFunctions: readonly [pattern: RegExp, kind: LockKind][] = [
  [/^_*pthread_mutex_\w*lock$/, 'mutex'],
  [/^absl::Mutex::(LockSlow|Lock|ReaderLock|Await)/, 'mutex'],
  [/^_*pthread_rwlock_\w+lock$/, 'rwlock'],
  [/^_*pthread_cond_\w*wait$/, 'condition'],
  [/^absl::CondVar::Wait/, 'condition'],
  [/^(_*sem_\w*wait|uv_sem_wait)$/, 'semaphore'],
  [/^_*pthread_(timed|clock)?join/, 'thread'],
  [/^_*pthread_barrier_wait$/, 'barrier'],
  [/^_*pthread_once$/, 'once'],
  [/^(_*libc_)?(malloc|calloc|realloc|free|memalign)$/, 'allocator'],
]

/** What a thread in futex(2) waits for; null: this call waits for nothing. */
export function findLock(
  view: ProcessView,
  call: RawCall,
  functions: readonly string[],
  threads: ThreadsByTid,
): FoundLock | null {
  const [word = 0, command = 0, expected = 0, timeout = 0] = call.args.map(Number)
  const operation = command & ~flags
  if (!Object.values(operations).includes(operation)) return null
  const mapping = view.mappingOf(word)
  const wait: Wait = {
    word,
    expected,
    isPrivate: (command & privateFlag) !== 0 || mapping?.permissions[3] === 'p',
    inKernel: operation === operations.lockPi || operation === operations.lockPi2,
    named: waitingKind(functions),
  }
  // The whole of any lock, on either side of its futex.
  const start = Math.max(word - 64, mapping?.start ?? 0)
  const memory = new Around(view.memory(start, word + 64 - start) ?? Buffer.alloc(0), start)
  const found = recognise(view, wait, memory, threads)
  return {
    ...found,
    address: `0x${found.address.toString(16)}`,
    futex: `0x${word.toString(16)}`,
    value: memory.u32(word) ?? 0,
    mapping: mapping === undefined ? 'unknown' : mapping.path || 'anonymous',
    shared: !wait.isPrivate,
    timed: timeout !== 0,
    bytes: memory.text(found.address, sizes[found.kind] ?? 4),
  }
}

interface Wait {
  word: number
  /** The value that the futex had when the wait began. */
  expected: number
  isPrivate: boolean
  /** The kernel itself keeps the owner: FUTEX_LOCK_PI. */
  inKernel: boolean
  named: LockKind | undefined
}

interface Recognised {
  kind: LockKind
  address: number
  owner: LockOwner | null
  readers?: number
}

function waitingKind(functions: readonly string[]): LockKind | undefined {
  // What comes further out called the wait, or is left over from earlier.
  const near = functions.slice(0, 8)
  const [kind] = near.flatMap((name) => waitingFunctions.find(([pattern]) => pattern.test(name))?.[1] ?? [])
  const isAtomics = kind === 'condition' && functions.slice(0, 16).some((name) => /FutexEmulation::Wait/.test(name))
  return isAtomics ? 'atomics' : kind
}

function recognise(view: ProcessView, wait: Wait, memory: Around, threads: ThreadsByTid): Recognised {
  const { word, named } = wait
  // What a function's name says isn't doubted; where none is known, the whole of the memory must fit.
  const may = (kind: LockKind): boolean => named === undefined || named === kind
  const found =
    multiprocessingAt(wait, memory, threads) ||
    (may('thread') && threadAt(view, wait, memory, threads)) ||
    (may('mutex') && mutexAt(wait, memory, threads)) ||
    (may('rwlock') && rwlockAt(wait, memory, threads)) ||
    (may('semaphore') && semaphoreAt(wait, memory))
  return found || { kind: named ?? 'unknown', address: word, owner: null }
}

const sharedMagic = 0x4b4c4654 // "TFLK", native/posix/shared_lock.h
const ownedKinds = [1, 2] // Lock, RLock

/** A lock of truefork/multiprocessing: its word comes after a mark and a kind, and has its owner's tid. */
function multiprocessingAt({ word }: Wait, memory: Around, threads: ThreadsByTid): Recognised | null {
  const [magic, kind = 0, value = 0] = memory.words(word - 8, 3)
  if (magic !== sharedMagic) return null
  const tid = ownedKinds.includes(kind) ? value & tidMask : 0
  return { kind: 'multiprocessing', address: word - 8, owner: tid === 0 ? null : threads.owner(tid, true) }
}

/** pthread_join(3): the kernel clears a thread's tid when it ends. */
function threadAt(
  view: ProcessView,
  { word, expected, named }: Wait,
  memory: Around,
  threads: ThreadsByTid,
): Recognised | null {
  if (memory.u32(word) !== expected || expected === 0 || expected > tidMask) return null
  if (named !== 'thread' && !(threads.knows(expected) && isInDescriptor(view, word))) return null
  return { kind: 'thread', address: word, owner: threads.owner(expected, false) }
}

/** Whether a word is the tid in a thread's descriptor, which on x86-64 begins with a pointer to itself. */
function isInDescriptor(view: ProcessView, word: number): boolean {
  if (facts.tidOffset < 0) return false
  const start = word - facts.tidOffset
  return view.memory(start, 8)?.equals(pointer(start)) === true
}

function pointer(address: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(address))
  return bytes
}

const mutexBits = { known: 0x3f3, type: 3, recursive: 1, robust: 0x10, inherit: 0x20, shared: 0x80 }

function mutexAt({ word, isPrivate, inKernel, named }: Wait, memory: Around, threads: ThreadsByTid): Recognised | null {
  const [lock, count, owner, users, kind] = memory.words(word, 5)
  if (lock === undefined || count === undefined || owner === undefined || kind === undefined) return null
  if ((kind & ~mutexBits.known) !== 0 || users === undefined) return null
  const wordIsTid = (kind & (mutexBits.robust | mutexBits.inherit)) !== 0
  if (!wordIsTid && lock !== 1 && lock !== 2) return null
  if (!wordIsTid && (kind & mutexBits.type) !== mutexBits.recursive && count !== 0) return null
  const tid = wordIsTid ? lock & tidMask : owner
  const shared = (kind & mutexBits.shared) !== 0 || !isPrivate
  if (named !== 'mutex' && !inKernel && (users === 0 || users > 0xffff || !threads.knows(tid))) return null
  // Between taking it and writing it down there is no owner to be seen.
  return { kind: 'mutex', address: word, owner: tid === 0 ? null : threads.owner(tid, shared) }
}

const writePhase = 1
const writeLocked = 2

function rwlockAt({ word, isPrivate, named }: Wait, memory: Around, threads: ThreadsByTid): Recognised | null {
  // Readers, and the first writer, wait by the third word; other writers by the fourth.
  for (const address of [word - 8, word - 12]) {
    const [readers, writers, phase, writing, none, nothing, writer, shared] = memory.words(address, 8)
    if (address % 8 !== 0 || readers === undefined || phase === undefined || writer === undefined) continue
    if (writers === undefined || writing === undefined || writers > 0xffff) continue
    if (phase > 3 || writing > 3 || none !== 0 || nothing !== 0 || (shared !== 0 && shared !== 1)) continue
    const isWritten = (readers & (writePhase | writeLocked)) === (writePhase | writeLocked) && writer !== 0
    if (named !== 'rwlock' && !(isWritten && threads.knows(writer))) continue
    const owner = isWritten ? threads.owner(writer, shared === 1 || !isPrivate) : null
    return { kind: 'rwlock', address, owner, readers: readers >>> 3 }
  }
  return null
}

/** glibc's sem_t: its value, how many wait, and whether it is one for several processes. */
function semaphoreAt({ word, expected }: Wait, memory: Around): Recognised | null {
  const [value, waiters = 0, shared] = memory.words(word, 3)
  if (expected !== 0 || value !== 0 || waiters < 1 || waiters > 0xffff || (shared !== 0 && shared !== 128)) return null
  return { kind: 'semaphore', address: word, owner: null }
}

/** Some memory of another process, by its addresses there. */
class Around {
  readonly #bytes: Buffer
  readonly #start: number

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#start = start
  }

  u32(address: number): number | undefined {
    const at = address - this.#start
    return at >= 0 && at + 4 <= this.#bytes.length ? this.#bytes.readUInt32LE(at) : undefined
  }

  text(address: number, size: number): string {
    return this.#bytes.toString('latin1', address - this.#start, address - this.#start + size)
  }

  words(address: number, count: number): (number | undefined)[] {
    return Array.from({ length: count }, (_, index) => this.u32(address + 4 * index))
  }
}
