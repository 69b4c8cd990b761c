// A pool's worker, as the pool sees it: its process, its socket, and what it has been given.
import { closeSync } from 'node:fs'
import { binding } from '../binding'
import { checked } from '../errors'
import { type OutgoingMessage, receiveMessage } from './message-socket'
import type { Chunk } from './pool-chunks'
import type { Job } from './pool-job'
import { fromReport, type Report, taskIdOf } from './pool-protocol'
import { READABLE, Readiness } from './readiness'

/** A chunk that is under way. */
export interface Task {
  id: number
  job: Job
  chunk: Chunk
  message: OutgoingMessage
}

/** How a worker's process ended. */
export interface Ending {
  exitCode: number
  signal: NodeJS.Signals | number | null
}

/** The process of a worker. */
export interface WorkerProcess {
  readonly name: string
  readonly pid: number
  /** Resolves once it is reaped. */
  readonly ended: Promise<Ending>
  terminate(): void
}

/** The two ends of a worker's socket, both the pool's until the worker has its own. */
export class WorkerSocket {
  readonly pools: number
  /** A copy of it stays with the pool, which takes back by it what the worker hasn't read. */
  readonly workers: number
  #isOpen = true

  constructor() {
    const [failure, pools, workers] = binding.messagePair()
    checked(failure, 'socketpair')
    this.pools = pools
    this.workers = workers
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.pools)
    closeSync(this.workers)
  }
}

/** Reports that are taken at once; the rest of the program has its turn between. */
const reportsPerTurn = 256
/** Beside the task that it runs a worker has others to go on with, as many as fit into these limits. */
const mostTasks = 8
const mostBytes = 128 * 1024

export class PoolWorker {
  readonly process: WorkerProcess
  readonly socket: WorkerSocket
  /** Whether its initializer has run. */
  isReady = false
  /** Whether it gets no more tasks. */
  isRetired = false
  readonly #knows: (functionId: number) => boolean
  readonly #readiness: Readiness
  readonly #maxTasks: number
  #tasks: Task[] = []
  #bytes = 0
  #completed = 0

  /**
   * @param knows which functions it can run
   * @param onReports there are reports to be read
   */
  constructor(
    process: WorkerProcess,
    socket: WorkerSocket,
    maxTasks: number,
    knows: (functionId: number) => boolean,
    onReports: (worker: PoolWorker) => void,
  ) {
    this.process = process
    this.socket = socket
    this.#maxTasks = maxTasks
    this.#knows = knows
    this.#readiness = new Readiness(
      socket.pools,
      () => onReports(this),
      () => {},
    )
    this.#readiness.keepsLoop = false
    this.#readiness.want(READABLE)
  }

  get load(): number {
    return this.#tasks.length
  }

  get isIdle(): boolean {
    return this.#tasks.length === 0
  }

  canRun(functionId: number): boolean {
    return this.#knows(functionId)
  }

  hasRoom(): boolean {
    const { length } = this.#tasks
    if (this.isRetired || this.#completed + length >= this.#maxTasks) return false
    return length < 2 || (length < mostTasks && this.#bytes < mostBytes)
  }

  /** False: its socket is full. */
  give(task: Task): boolean {
    if (!task.message.sendBy(this.socket.pools)) return false
    this.#tasks.push(task)
    this.#bytes += task.message.size
    if (this.#tasks.length === 1) this.#readiness.keepsLoop = true
    return true
  }

  /** What it has to say, and the tasks that this settles. */
  *reports(): Generator<{ report: Report; task: Task | undefined }> {
    for (let count = 0; count < reportsPerTurn && !this.isRetired; count++) {
      const message = receiveMessage(this.socket.pools)
      if (message === undefined || message === null) return
      const report = fromReport(message.bytes)
      if (report.kind !== 'done') {
        yield { report, task: undefined }
        continue
      }
      this.#completed++
      const task = this.#remove(report.id)
      if (this.#completed >= this.#maxTasks) this.retire()
      yield { report, task }
    }
  }

  /** The oldest task that it hasn't begun, which it won't get any more; undefined: it has read all of them. */
  takeBack(): Task | undefined {
    const message = receiveMessage(this.socket.workers)
    return message ? this.#remove(taskIdOf(message.bytes)) : undefined
  }

  /** What another worker could take back, if this one hasn't begun it. */
  get waiting(): readonly Task[] {
    return this.#tasks
  }

  /** Lets it end when it has done what it has. Reports of that can't come any more. */
  retire(): void {
    if (this.isRetired) return
    this.isRetired = true
    this.close()
  }

  /** For a worker that has ended: the tasks that nothing came of, and those that it hasn't begun. */
  leave(): { begun: Task[]; waiting: Task[] } {
    const waiting: Task[] = []
    while (!this.isRetired) {
      const task = this.takeBack()
      if (task === undefined) break
      waiting.push(task)
    }
    const begun = this.#tasks
    this.#tasks = []
    this.close()
    return { begun, waiting }
  }

  close(): void {
    this.#readiness.close()
    this.socket.close()
  }

  #remove(id: number): Task | undefined {
    const index = this.#tasks.findIndex((task) => task.id === id)
    const [task] = index < 0 ? [] : this.#tasks.splice(index, 1)
    if (task === undefined) return undefined
    this.#bytes -= task.message.size
    if (this.#tasks.length === 0) this.#readiness.keepsLoop = false
    return task
  }
}
