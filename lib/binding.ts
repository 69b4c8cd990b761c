// The only loader of the native addon, and its raw interface. Nothing here is checked: the callers do that.
import { platform } from 'node:os'
import { dirname } from 'node:path'
import type { SocketInfo } from './fd-table'
import type { FileAction } from './spawn'

/** A non-negative result, or a negative error number. */
type Result = number
type Bytes = string | Uint8Array

export interface RawThread {
  tid: number
  name: string
  state: string
  /** Whether it has the signal unblocked that stops threads. */
  stoppable: boolean
  /** Null: the main thread's, or unknown. */
  origin: RawThreadOrigin | null
}

/** What a thread was started for. */
export interface RawThreadOrigin {
  /** Its place among those that are known, the oldest first. */
  order: number
  /** The address of its start routine. */
  start: number
  /** What that was called with. */
  argument: number
  /** Whether that is on the main thread's stack. */
  onStack: boolean
  /** Whether that is an object of a C++ class of Node's. */
  ofObject: boolean
  /** Whose code it runs. */
  code: 'runtime' | 'c-library' | 'other' | 'unknown'
  /** The code's file if it is of somebody else's, or empty. */
  file: string
}

/** A thread that waits for a lock of the C library's which another one holds. */
export interface RawLockWait {
  waiter: number
  owner: number
  /** The file whose data the lock is; empty: none's. */
  file: string
}

/** What the event loop has still to write to a descriptor. */
export interface RawPendingWrite {
  fd: number
  /** In bytes. */
  size: number
}

export interface RawMemory {
  start: number
  end: number
  /** A path, or empty. */
  name: string
}

/** A descriptor whose kernel object parent and child share, though it tells of events only once. */
export interface RawDescriptor {
  fd: number
  /** As in /proc: 'inotify', 'fanotify', 'io_uring', ... */
  kind: string
}

export interface RawTableRow {
  fd: number
  /** A path, or what stands for one in /proc: `pipe:[12]`. */
  target: string
  /** The target of the other end. */
  peer: string | null
  /** A pidfd's process; 0: no pidfd, or unknown. */
  pid: number
  /** What F_GETFD answers. */
  descriptorFlags: number
  /** What F_GETFL answers. */
  flags: number
  mode: number
  /** -1: it has none. */
  offset: number
  terminal: boolean
  socket: SocketInfo | null
}

/** What a fork left in its child: native/fork/record.h. The tids are those of the pid namespaces concerned. */
export interface RawForkRecord {
  /** The child. */
  process: number
  parent: number
  /** Which threads it kept; null: this process wasn't made by a fork of ours. */
  kept: 'all' | 'caller' | null
  /** When, since 1970. */
  milliseconds: number
  threadCount: number
  /** False: some former tids found no room. */
  complete: boolean
  /** tidHere 0: it isn't in the child. */
  threads: { tid: number; tidHere: number; name: string }[]
  former: [tid: number, tidHere: number][]
  /** Locks that bore their owner's tid and were given its new one. */
  locks: { address: bigint; kind: 'mutex' | 'rwlock'; tid: number; tidHere: number }[]
}

/** A bigint, or Infinity for no limit. */
export type RawLimit = number | bigint

export interface RawSpawnOptions {
  fileActions: readonly FileAction[]
  setpgroup?: number | undefined
  setsid?: boolean | undefined
  resetids?: boolean | undefined
  setsigmask?: readonly number[] | undefined
  setsigdef?: readonly number[] | undefined
  scheduler?: { policy?: number | undefined; priority: number } | undefined
  cgroup?: number | undefined
  cloexecDefault?: boolean | undefined
  startSuspended?: boolean | undefined
  setexec?: boolean | undefined
}

export type RawSpawnResult = [pid: Result, refusedAction: number, refusedBy: string | null]

/** What watches for the ends of processes on behalf of this thread's event loop. */
export interface ExitWatch {
  readonly exitWatch: unique symbol
}

/** A posix_spawn that is under way. */
export interface SpawnTask {
  readonly spawnTask: unique symbol
}

/** The event loop's watch of one descriptor. */
export interface RawReadiness {
  readonly readiness: unique symbol
}

/** Descriptors: the file, then the two ends of the pipes for messages, for room and for the end of all work; or -1. */
export type RawLog = readonly number[]

/** Memory that processes share, and what lives there. */
export interface SharedBlock {
  readonly sharedBlock: unique symbol
}

/** What watches for changes of shared words on behalf of this thread's event loop. */
export interface WordWatch {
  readonly wordWatch: unique symbol
}

/** 0: done; 1: done, and the owner before has died; from 2 ** 32 on: busy, and the word that makes it so; or an error. */
export type Attempt = number

interface Binding {
  /**
   * `drainMs` -1: don't wait for the thread pool. `debuggerSockets`: what the inspector listens on. `isSilent`: the
   * child's event loop forgets its parent's work. `tid`: the thread that didn't stop, or 0.
   */
  fork(
    allThreads: boolean,
    drainMs: number,
    shareRings: boolean,
    debuggerSockets: readonly number[],
    isSilent: boolean,
  ): [pid: Result, tid: number, failedStep: string | null]
  /** Gives up all that is on the stack, at the caller's next step, and then calls `run` from the event loop. */
  runOnly(run: () => void, letsFirstCallPass: boolean): void
  /** Right after a MessageChannel was made: which handles of the event loop are a port's. False if it can't be told. */
  knowMessagePorts(): boolean
  /** Returns if a listener of the program's has dealt with it. */
  throwUncaught(error: unknown): void
  /** Whether this descriptor is a pipe or socket that the event loop writes to or reads from. */
  hasStream(fd: number): boolean
  /** From now on exit(3) ends with this status, and runs nothing of what was registered for the parent's end. */
  exitWith(status: number): void
  whyNotAllThreads(): string | null
  onEmptyLoop(beforeExit: () => void, exit: () => void, leave: () => void): void
  /** Ends this process by SIGKILL once that one has ended, however busy this one is. */
  endWith(pid: number): Result
  threads(): [failure: Result, ...threads: RawThread[]]
  lockWaits(tids: readonly number[]): RawLockWait[]
  unrebuiltDescriptors(): RawDescriptor[]
  pendingWrites(): RawPendingWrite[]
  memoryLeftOut(): RawMemory[]
  /** Both in kilobytes; 0, 0: this process has none. */
  hugePages(): [own: number, free: number]
  _exit(status: number): never
  /** `env` null: this process's own. Returns only when it failed. */
  exec(file: Bytes, argv: readonly Bytes[], env: readonly Bytes[] | null, search: boolean): Result
  fexecve(fd: number, argv: readonly Bytes[], env: readonly Bytes[] | null): Result
  posix_spawn(
    path: Bytes,
    argv: readonly Bytes[],
    env: readonly Bytes[] | null,
    search: boolean,
    options: RawSpawnOptions,
  ): RawSpawnResult
  beginSpawn(
    path: Bytes,
    argv: readonly Bytes[],
    env: readonly Bytes[] | null,
    search: boolean,
    options: RawSpawnOptions,
    callback: (result: RawSpawnResult) => void,
  ): SpawnTask
  /** The child is killed, if there is one. The callback comes as ever; not after it. */
  abortSpawn(task: SpawnTask): void
  wait4(pid: number, options: number): [pid: Result, status: number, ...usage: number[]]
  waitid(
    idtype: number,
    id: number,
    options: number,
  ): [failure: Result, pid: number, uid: number, signo: number, status: number, code: number]
  /** Has the calls above leave this child alone, as they leave Node's; `reapKept` is for it. */
  keepChild(pid: number): void
  /** 0: it hasn't ended. */
  reapKept(pid: number): [pid: Result, status: number]
  /** `tokens` null: in the child of a fork, where nothing that is watched is a child any more. */
  onExits(callback: (tokens: readonly number[] | null) => void, keepsLoopGoing: boolean): ExitWatch
  /** A failure says that this process can't be watched, or that too few descriptors would be left. */
  watchExit(watch: ExitWatch, isPidfd: boolean, id: number): Result
  unwatchExit(watch: ExitWatch, token: number): void
  WIFEXITED(status: number): boolean
  WEXITSTATUS(status: number): number
  WIFSIGNALED(status: number): boolean
  WTERMSIG(status: number): number
  WCOREDUMP(status: number): boolean
  WIFSTOPPED(status: number): boolean
  WSTOPSIG(status: number): number
  WIFCONTINUED(status: number): boolean
  getpid(): number
  getppid(): number
  gettid(): number
  getpgid(pid: number): Result
  setpgid(pid: number, pgid: number): Result
  getpgrp(): number
  setsid(): Result
  getsid(pid: number): Result
  tcgetpgrp(fd: number): Result
  tcsetpgrp(fd: number, pgid: number): Result
  kill(pid: number, signal: number): Result
  killpg(pgid: number, signal: number): Result
  sigprocmask(how: number, signals: readonly number[]): [failure: Result, ...previous: number[]]
  sigpending(): [failure: Result, ...pending: number[]]
  getrlimit(resource: number): [failure: Result, soft: RawLimit, hard: RawLimit]
  setrlimit(resource: number, soft: RawLimit, hard: RawLimit): Result
  prlimit(
    pid: number,
    resource: number,
    soft?: RawLimit,
    hard?: RawLimit,
  ): [failure: Result, soft: RawLimit, hard: RawLimit]
  setPdeathsig(signal: number): Result
  setChildSubreaper(on: boolean): Result
  openpty(
    rows: number | undefined,
    columns: number | undefined,
  ): [failure: Result, master: number, slave: number, name: string, failedStep: string | null]
  enterPty(master: number, slave: number): void
  tcgetwinsize(fd: number): [failure: Result, rows: number, columns: number]
  tcsetwinsize(fd: number, rows: number, columns: number): Result
  pidfd_open(pid: number, flags: number): Result
  pidfd_send_signal(pidfd: number, signal: number): Result
  /** -1: it has been reaped; 0: unknown. */
  pid_of_pidfd(pidfd: number): number
  /** 1 or 0. */
  pidfd_has_ended(pidfd: number): Result
  pipe(): [failure: Result, readEnd: number, writeEnd: number]
  pipe2(flags: number): [failure: Result, readEnd: number, writeEnd: number]
  /** Says that another process has this pipe or socket, too, and be it that both its ends are here: a fork shares it. */
  sharePipe(fd: number): void
  dup(fd: number): Result
  dup2(fd: number, newFd: number): Result
  dup3(fd: number, newFd: number, flags: number): Result
  fcntl(fd: number, command: number, argument: number): Result
  closefrom(fd: number): Result
  close_range(first: number, last: number, flags: number): Result
  umask(mask: number): number
  socketpair(type: number): [failure: Result, one: number, other: number]
  sendDescriptors(socket: number, fds: readonly number[], data: Bytes): Result
  receiveDescriptors(socket: number, buffer: Uint8Array): [size: Result, ...fds: number[]]
  /** Sockets that keep messages apart. */
  messagePair(): [failure: Result, one: number, other: number]
  messageLimits(): [bytes: number, pollTellsRoom: number]
  anonymousFile(): Result
  /** The callback gets what of 1 (readable) and 2 (writable) has come; 0: an error, and nothing is watched any more. */
  onReady(fd: number, callback: (events: number) => void): [failure: Result, readiness: RawReadiness]
  watchReady(readiness: RawReadiness, events: number): Result
  referenceReady(readiness: RawReadiness, keepsLoop: boolean): void
  closeReady(readiness: RawReadiness): void
  pollReady(fd: number, events: number, timeoutMs: number): Result
  beginLog(log: RawLog, limit: number): Result
  putMessage(log: RawLog, bytes: Uint8Array): Result
  takeMessage(log: RawLog): Buffer | Result
  finishMessage(log: RawLog): Result
  countMessages(log: RawLog): Result
  countUnfinished(log: RawLog): Result
  descriptorTable(): [failure: Result, ...rows: RawTableRow[]]
  shareMemory(bytes: number): SharedBlock | Result
  sharedBuffer(block: SharedBlock): ArrayBuffer
  /** The descriptor stays the mapping's own. Whoever is told of it here attaches the block, once. */
  tellBlock(block: SharedBlock): [descriptor: Result, offset: number, bytes: number]
  attachBlock(descriptor: number, offset: number, bytes: number): SharedBlock | Result
  kindOfBlock(block: SharedBlock): number
  waitForWord(block: SharedBlock, offset: number, expected: number, milliseconds: number): void
  onWords(callback: (tokens: readonly number[]) => void): WordWatch
  /** `looks`: is told now and then without a change, too. Each token is told once. A failure: nothing can be watched. */
  watchWord(watch: WordWatch, block: SharedBlock, offset: number, expected: number, looks: boolean): Result
  unwatchWord(watch: WordWatch, token: number): void
  makeLock(recursive: boolean): SharedBlock | Result
  /** `patience`: 1 it has slept, 2 it looks whether the owner lives, 4 it won't sleep. */
  takeLock(block: SharedBlock, patience: number): Attempt
  releaseLock(block: SharedBlock): Result
  /** How deep it was. */
  releaseLockWholly(block: SharedBlock): Result
  restoreDepth(block: SharedBlock, depth: number): void
  passLockOn(block: SharedBlock): void
  tellLock(
    block: SharedBlock,
  ): [own: number, held: number, ownerPid: number, deaths: number, deadPid: number, ownerTid: number]
  wouldHang(block: SharedBlock): boolean
  /** `maximum` 0: none. */
  makeSemaphore(value: number, maximum: number): SharedBlock | Result
  takeSemaphore(block: SharedBlock, patience: number): Attempt
  releaseSemaphore(block: SharedBlock, count: number): Result
  semaphoreValue(block: SharedBlock): number
  passSemaphoreOn(block: SharedBlock): void
  makeCondition(): SharedBlock | Result
  /** A waiter's place. */
  beginWait(block: SharedBlock): Result
  /** -1: it has been told; or its place, which is another in the child of a fork. */
  lookAtWait(block: SharedBlock, place: number): number
  /** Whether it was told. */
  endWait(block: SharedBlock, place: number): boolean
  /** How many there were. */
  notify(block: SharedBlock, count: number): number
  makeEvent(): SharedBlock | Result
  setEvent(block: SharedBlock, on: boolean): void
  eventWord(block: SharedBlock): number
  lookAtEvent(block: SharedBlock, since: number): Attempt
  makeBarrier(parties: number): SharedBlock | Result
  /** `outcome`: 0 it waits, 1 it is the last, 2 there is no room yet, 3 broken. */
  arrive(block: SharedBlock): [outcome: number, place: number, index: number, generation: number]
  /** 1: it waits; 2: it may pass; 3: the barrier is broken. */
  lookAtBarrier(block: SharedBlock, place: number, generation: number, looksForDead: boolean): number
  /** As lookAtBarrier; one that waited has broken the barrier now. */
  leaveBarrier(block: SharedBlock, place: number, generation: number): number
  /** False: it was broken or reset meanwhile. */
  openBarrier(block: SharedBlock, place: number, generation: number): boolean
  breakBarrier(block: SharedBlock, reset: boolean): void
  tellBarrier(block: SharedBlock): [parties: number, count: number, broken: number]
  forkRecordOf(bytes: Uint8Array): RawForkRecord | null
  diagnosisFacts(): {
    /** Of the mapping that a record lies in. */
    recordName: string
    recordSize: number
    /** Names by number; none where no process tells what it is in. */
    systemCalls: Readonly<Record<number, string>>
    /** Of the tid in the C library's descriptor of a thread; -1: not known. */
    tidOffset: number
  }
  /** System calls that were tried. */
  probes(): [name: string, failure: Result][]
  strerror(errno: number): string
  constants: Readonly<Record<string, number>>
}

function load(): Binding {
  if (!['linux', 'darwin'].includes(platform())) {
    throw new Error(
      `truefork makes the system calls fork, exec and wait of Linux and macOS; ${platform()} has none of them. Use node:child_process there.`,
    )
  }
  const loadAddon: (directory: string) => Binding = require('node-gyp-build')
  return loadAddon(dirname(__dirname))
}

export const binding = load()
