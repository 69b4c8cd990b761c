// The fork server at its work: it forks a worker for each request, waits for its workers, and tells of their ends.
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { binding } from '../binding'
import { _exit, fork } from '../fork'
import { pidfd_open } from '../pidfd'
import { startedSingleThreaded } from '../safety/probes/threads'
import { kill } from '../signals'
import { recvFds, type SocketPair, sendFds } from '../sockets'
import {
  type Answer,
  type Asked,
  ask,
  channelFd,
  controlFd,
  fromRecord,
  type News,
  recordSize,
  toFrame,
  toRecord,
  writeFrame,
} from './fork-server-protocol'
import { type Assignment, awaitAssignment, Spare, toAssignment } from './fork-server-spare'
import { originIn, runWorker } from './fork-server-worker'
import { reapKept } from './kept-child'
import { privateSocketpair } from './private-socketpair'
import { describeError, type ErrorDescription } from './remote-error'

interface LiveWorker {
  id: number
  connection: number
  daemon: boolean
}

export class ForkService {
  readonly #control = new Socket({ fd: controlFd, readable: true, writable: true })
  readonly #workers = new Map<number, LiveWorker>()
  readonly #preloadError: ErrorDescription | undefined
  readonly #reap = (): void => this.#reapAll()
  /** Ctrl-C in a terminal is for the owner to deal with, as in Python. */
  readonly #ignore = (): void => {}
  #announced = 0
  #next: NodeJS.Immediate | undefined
  #spare: Spare | undefined
  #lacksSpare = true
  /** Spares, the present one and those that were let go, until they have been reaped. */
  readonly #idle = new Set<number>()
  /** No more requests: it was closed, or this is a worker. */
  #isClosing = false
  #grace: NodeJS.Timeout | undefined

  constructor(preloadError: ErrorDescription | undefined) {
    this.#preloadError = preloadError
    process.on('SIGCHLD', this.#reap)
    process.on('SIGINT', this.#ignore)
    this.#control.on('error', () => {}) // 'close' follows
    this.#control.on('close', () => this.#leaveAtOnce())
    this.#control.on('data', (bytes) => {
      this.#announced += bytes.length
      this.#schedule()
    })
    this.#say(preloadError === undefined ? { type: 'ready' } : { type: 'failed', error: preloadError })
    this.#schedule()
  }

  #say(news: News): void {
    this.#control.write(toFrame(news))
  }

  /** One record at a time, each from the event loop: a worker begins with a short stack, and ends come in between. */
  #schedule(): void {
    const canFork = this.#lacksSpare && !this.#isClosing && this.#preloadError === undefined
    if (this.#announced > 0 || canFork) this.#next ??= setImmediate(() => this.#turn())
  }

  /** A spare is made when nobody waits. */
  #turn(): void {
    this.#next = undefined
    if (this.#announced > 0) this.#receive()
    else this.#makeSpare()
    this.#schedule()
  }

  #receive(): void {
    this.#announced--
    let fds: number[]
    let data: Buffer
    try {
      ;({ fds, data } = recvFds(channelFd, recordSize))
    } catch (error) {
      // EMFILE: the request is lost, and it isn't known which.
      this.#say({ type: 'lost', error: describeError(error) })
      return
    }
    const asked = fromRecord(data)
    if (asked.kind === ask.fork) this.#answer(asked, fds)
    else if (asked.kind === ask.kill) this.#kill(asked)
    else this.#close(asked.value)
  }

  #answer(asked: Asked, fds: readonly number[]): void {
    const assignment = toAssignment(asked, fds)
    const { connection, isDaemon } = assignment
    const pid = this.#workerFor(asked, assignment)
    if (pid === 0) return
    for (const fd of assignment.fds) closeSync(fd)
    if (pid === undefined) {
      closeSync(connection)
      return
    }
    binding.keepChild(pid)
    this.#workers.set(pid, { id: asked.id, connection, daemon: isDaemon })
    tell(connection, { type: 'forked', pid, hasPidfd: sendPidfd(asked.id, pid) })
  }

  /** The spare, or else a new process; 0: this is it. undefined: there is none, and the owner was told why. */
  #workerFor(asked: Asked, assignment: Assignment): number | undefined {
    const { connection, fds } = assignment
    if (this.#preloadError !== undefined) {
      tell(connection, { type: 'failed', of: 'preload', error: this.#preloadError })
      return undefined
    }
    tell(connection, { type: 'taken' })
    const spare = this.#letGoOfSpare()
    this.#lacksSpare = true
    if (spare?.hand(asked, [connection, ...fds])) {
      this.#idle.delete(spare.pid)
      return spare.pid
    }
    try {
      return this.#fork(() => assignment)
    } catch (error) {
      tell(connection, { type: 'failed', of: 'worker', error: describeError(error) })
      return undefined
    }
  }

  #makeSpare(): void {
    this.#lacksSpare = false
    if (this.#isClosing) return
    let ends: SocketPair | undefined
    try {
      ends = privateSocketpair()
      const [own, spares] = ends
      const pid = this.#fork(() => {
        closeSync(own)
        return awaitAssignment(spares)
      })
      if (pid === 0) return
      binding.keepChild(pid)
      this.#spare = new Spare(pid, own)
      this.#idle.add(pid)
      closeSync(spares)
    } catch {
      // The next request will be forked for, and told why it can't be.
      for (const fd of ends ?? []) closeSync(fd)
    }
  }

  #letGoOfSpare(): Spare | undefined {
    const spare = this.#spare
    this.#spare = undefined
    return spare
  }

  /** @param assigned tells a worker, which has nothing of the server's left by then, what to do */
  #fork(assigned: () => Assignment | undefined): number {
    const server = process.pid
    const pid = fork(startedSingleThreaded() ? { threads: 'caller' } : {})
    if (pid !== 0) return pid
    this.#leaveToWorker()
    // From the event loop: nothing of the server's is below it.
    setImmediate(() => {
      const origin = originIn(server)
      const assignment = assigned()
      if (assignment === undefined) _exit(0)
      void runWorker(assignment, origin)
    })
    return 0
  }

  /** In a worker: what is the server's own ends here, and the server doesn't notice. */
  #leaveToWorker(): void {
    this.#isClosing = true
    this.#announced = 0
    process.off('SIGCHLD', this.#reap)
    process.off('SIGINT', this.#ignore)
    clearTimeout(this.#grace)
    // Not destroy(): it makes process.stderr, which takes longer than all the rest.
    const { _handle: handle } = this.#control as unknown as { _handle: { close(): void } }
    handle.close()
    closeSync(channelFd)
    for (const { connection } of this.#workers.values()) closeSync(connection)
    this.#workers.clear()
    this.#letGoOfSpare()?.close()
  }

  /** A signal may stand for several ends. */
  #reapAll(): void {
    this.#reapIdle()
    for (const [pid, { connection }] of this.#workers) {
      const status = reapKept(pid)
      if (status === undefined) continue
      this.#workers.delete(pid)
      tell(connection, { type: 'ended', status })
      closeSync(connection)
    }
    this.#leaveIfDone()
  }

  /** Another spare is made when one has been used, not when one has ended: what ends one may end them all. */
  #reapIdle(): void {
    for (const pid of this.#idle) {
      if (reapKept(pid) === undefined) continue
      this.#idle.delete(pid)
      if (this.#spare?.pid === pid) this.#letGoOfSpare()?.close()
    }
  }

  #kill({ id, value }: Asked): void {
    for (const [pid, worker] of this.#workers) if (worker.id === id) trySignal(pid, value)
  }

  #close(graceMs: number): void {
    this.#isClosing = true
    this.#letGoOfSpare()?.close()
    this.#signalDaemons('SIGTERM')
    this.#grace = setTimeout(() => this.#signalDaemons('SIGKILL'), graceMs)
    this.#leaveIfDone()
  }

  #signalDaemons(signal: NodeJS.Signals): void {
    for (const [pid, { daemon }] of this.#workers) if (daemon) trySignal(pid, signal)
  }

  #leaveIfDone(): void {
    const isAlone = this.#workers.size === 0 && this.#idle.size === 0
    if (this.#isClosing && isAlone && this.#announced === 0) process.exit(0)
  }

  /** The owner is gone. */
  #leaveAtOnce(): void {
    this.#signalDaemons('SIGKILL')
    _exit(0)
  }
}

function tell(connection: number, answer: Answer): void {
  writeFrame(connection, answer)
}

/** While the worker can't have been reaped, so that it is surely this one's. False: the owner has to do without. */
function sendPidfd(id: number, pid: number): boolean {
  try {
    const pidfd = pidfd_open(pid)
    try {
      sendFds(channelFd, [pidfd], toRecord({ kind: 0, id, value: pid }))
      return true
    } finally {
      closeSync(pidfd)
    }
  } catch {
    return false // no pidfds here, or the table is full
  }
}

/** A worker that hasn't been reaped is surely meant; it may have changed its user. */
function trySignal(pid: number, signal: NodeJS.Signals | number): void {
  try {
    kill(pid, signal)
  } catch {}
}
