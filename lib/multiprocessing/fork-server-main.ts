// The fork server's own program: it imports what is to be warm, then forks a worker for each request.
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { binding } from '../binding'
import { _exit, fork } from '../fork'
import { pidfd_open } from '../pidfd'
import { prctl } from '../prctl'
import { startedSingleThreaded } from '../safety/probes/threads'
import { kill } from '../signals'
import { recvFds, sendFds } from '../sockets'
import {
  type Answer,
  type Asked,
  ask,
  channelFd,
  controlFd,
  fromRecord,
  type News,
  readFrame,
  recordSize,
  toFrame,
  toRecord,
  type WorkerRequest,
  writeFrame,
} from './fork-server-protocol'
import { prepareWorker, runWorker } from './fork-server-worker'
import { importFrom } from './import-export'
// All that may come as an argument is known here.
import '../multiprocessing'
import './forkserver-job'
import { reapKept } from './kept-child'
import { describeError, type ErrorDescription } from './remote-error'
import { pack } from './transfer'

interface LiveWorker {
  id: number
  connection: number
  daemon: boolean
}

const noChild = -1

class Server {
  readonly #control = new Socket({ fd: controlFd, readable: true, writable: true })
  readonly #workers = new Map<number, LiveWorker>()
  readonly #preloadError: ErrorDescription | undefined
  readonly #reap = (): void => this.#reapAll()
  /** Ctrl-C in a terminal is for the owner to deal with, as in Python. */
  readonly #ignore = (): void => {}
  #announced = 0
  #next: NodeJS.Immediate | undefined
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
  }

  #say(news: News): void {
    this.#control.write(toFrame(news))
  }

  /** One record at a time, each from the event loop: a worker begins with a short stack, and ends come in between. */
  #schedule(): void {
    if (this.#announced > 0) this.#next ??= setImmediate(() => this.#receive())
  }

  #receive(): void {
    this.#next = undefined
    this.#announced--
    this.#schedule()
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

  #answer({ id }: Asked, [connection = -1, ...fds]: number[]): void {
    const request = this.#read(connection)
    const pid = request === undefined ? noChild : forkFor(connection)
    if (request !== undefined && pid === 0) {
      if (request.daemon) dieWithParent()
      const prepare = prepareWorker(request, fds)
      this.#leaveToWorker()
      // From the event loop: nothing of the server's is below it.
      setImmediate(() => void runWorker(connection, prepare))
      return
    }
    for (const fd of fds) closeSync(fd)
    if (request === undefined || pid === noChild) {
      closeSync(connection)
      return
    }
    binding.keepChild(pid)
    this.#workers.set(pid, { id, connection, daemon: request.daemon })
    tell(connection, { type: 'forked', pid, hasPidfd: sendPidfd(id, pid) })
  }

  /** undefined: there is nothing to be done. */
  #read(connection: number): WorkerRequest | undefined {
    if (this.#preloadError === undefined) {
      const request = readFrame(connection) as WorkerRequest | undefined
      tell(connection, { type: 'taken' })
      return request
    }
    tell(connection, { type: 'failed', of: 'preload', error: this.#preloadError })
    return undefined
  }

  /** In a worker: what is the server's own ends here, and the server doesn't notice. */
  #leaveToWorker(): void {
    process.off('SIGCHLD', this.#reap)
    process.off('SIGINT', this.#ignore)
    clearImmediate(this.#next)
    clearTimeout(this.#grace)
    // Not destroy(): it makes process.stderr, which takes longer than all the rest.
    const { _handle: handle } = this.#control as unknown as { _handle: { close(): void } }
    handle.close()
    closeSync(channelFd)
    for (const { connection } of this.#workers.values()) closeSync(connection)
    this.#workers.clear()
  }

  /** A signal may stand for several ends. */
  #reapAll(): void {
    for (const [pid, { connection }] of this.#workers) {
      const status = reapKept(pid)
      if (status === undefined) continue
      this.#workers.delete(pid)
      tell(connection, { type: 'ended', status })
      closeSync(connection)
    }
    this.#leaveIfDone()
  }

  #kill({ id, value }: Asked): void {
    for (const [pid, worker] of this.#workers) if (worker.id === id) trySignal(pid, value)
  }

  #close(graceMs: number): void {
    this.#isClosing = true
    this.#signalDaemons('SIGTERM')
    this.#grace = setTimeout(() => this.#signalDaemons('SIGKILL'), graceMs)
    this.#leaveIfDone()
  }

  #signalDaemons(signal: NodeJS.Signals): void {
    for (const [pid, { daemon }] of this.#workers) if (daemon) trySignal(pid, signal)
  }

  #leaveIfDone(): void {
    if (this.#isClosing && this.#workers.size === 0 && this.#announced === 0) process.exit(0)
  }

  /** The owner is gone. */
  #leaveAtOnce(): void {
    this.#signalDaemons('SIGKILL')
    _exit(0)
  }
}

/** Tells of a refusal. */
function forkFor(connection: number): number {
  try {
    return fork(startedSingleThreaded() ? { threads: 'caller' } : {})
  } catch (error) {
    tell(connection, { type: 'failed', of: 'worker', error: describeError(error) })
    return noChild
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

function dieWithParent(): void {
  try {
    prctl.setPdeathsig('SIGKILL')
  } catch {} // macOS: the server and the owner do it
}

async function preload(modules: readonly string[], directory: string): Promise<ErrorDescription | undefined> {
  try {
    for (const module of modules) await importFrom(module, directory)
    return undefined
  } catch (error) {
    return describeError(error)
  }
}

/** What every worker runs is compiled before it is forked. */
async function rehearse(): Promise<void> {
  const { env, argv } = process
  const nothing = { args: pack([], 'args').data, stdio: [], fdCounts: { stdio: 0, target: undefined } }
  const here = { directory: process.cwd(), cwd: process.cwd(), env: { ...env } as Record<string, string> }
  const [, script] = argv
  await prepareWorker({ module: 'node:path', export: 'join', ...here, ...nothing, daemon: false }, [])()
  argv[1] = script as string
}

async function main(): Promise<void> {
  dieWithParent()
  const { modules, directory } = JSON.parse(process.argv[2] as string) as { modules: string[]; directory: string }
  process.argv.length = 2
  const preloadError = await preload(modules, directory)
  await rehearse()
  new Server(preloadError)
}

if (require.main === module) void main()
