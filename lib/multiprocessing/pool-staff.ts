// A pool's workers: each a daemonic Process of the pool's start method.
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { signalName } from '../status'
import { type Child, liveChildren } from './children'
import type { StartMethod } from './launcher'
import { OutgoingMessage } from './message-socket'
import { type AnyFunction, PoolFunctions } from './pool-functions'
import type { Job } from './pool-job'
import { toTask } from './pool-protocol'
import type { Staff } from './pool-scheduler'
import { type Ending, PoolWorker, type WorkerProcess, WorkerSocket } from './pool-worker'
import { SentSocket, serveImported } from './pool-worker-imported'
import { serve } from './pool-worker-main'
import { Process, type ProcessOptions } from './process'

type AnyTarget = (...args: unknown[]) => unknown

export interface StaffPlan {
  size: number
  /** A copy of this process knows its functions; another has to import them. */
  method: StartMethod
  /** What workers are called, but for a number. */
  name: string
  initializer: AnyFunction | undefined
  initargs: readonly unknown[]
  maxTasks: number
}

export class PoolStaff implements Staff {
  readonly size: number
  readonly functions = new PoolFunctions()
  readonly #plan: StaffPlan
  readonly #Worker: new (
    options: ProcessOptions,
  ) => Process
  readonly #onReports: (worker: PoolWorker) => void
  #lastWorker = 0
  #starting: WorkerSocket | undefined

  /** @throws ERR_INVALID_ARG_VALUE: the initializer can't be imported, but would have to be */
  constructor(plan: StaffPlan, onReports: (worker: PoolWorker) => void) {
    this.size = plan.size
    this.#plan = plan
    this.#onReports = onReports
    this.#Worker = class extends Process {
      static override readonly startMethod = plan.method
    }
    if (!this.#isCopying) this.#importedDuty(undefined)
  }

  get #isCopying(): boolean {
    return this.#plan.method === 'fork'
  }

  /** @throws ERR_INVALID_ARG_VALUE: no worker could import it. @returns its number */
  hold(fn: AnyFunction): number {
    if (!this.#isCopying) this.functions.exportOf(fn, 'fn')
    return this.functions.hold(fn)
  }

  start(): PoolWorker {
    const socket = new WorkerSocket()
    const known = this.functions.ids()
    this.#starting = socket
    try {
      const process = this.#startProcess(socket)
      const knows = (id: number) => !this.#isCopying || known.has(id)
      return new PoolWorker(process, socket, this.#plan.maxTasks, knows, this.#onReports)
    } catch (error) {
      socket.close()
      throw error
    } finally {
      this.#starting = undefined
    }
  }

  messageOf(id: number, { functionId, spreads }: Job, items: readonly unknown[]): OutgoingMessage {
    const exported = this.#isCopying ? undefined : this.functions.exportOf(this.functions.functionOf(functionId), 'fn')
    return new OutgoingMessage(toTask({ id, functionId, spreads, exported }, items))
  }

  /** In a child: a new worker keeps its own end of its own socket. */
  leaveToParent(): void {
    if (this.#starting !== undefined) closeSync(this.#starting.pools)
  }

  #startProcess(socket: WorkerSocket): WorkerProcess {
    const name = `${this.#plan.name}-${++this.#lastWorker}`
    const work: ProcessOptions = this.#isCopying
      ? { target: () => serve(this.#duty(socket)) }
      : { target: serveImported as AnyTarget, args: [this.#importedDuty(socket)] }
    const worker = new this.#Worker({ name, daemon: true, ...work })
    worker.start()
    const { pid } = worker
    const child = liveChildren().find((each) => each.pid === pid) as Child
    return {
      name,
      pid: pid as number,
      ended: child.ended.then(toEnding),
      terminate: () => terminate(child),
    }
  }

  #duty(socket: WorkerSocket) {
    const { initializer, initargs } = this.#plan
    return {
      socket: socket.workers,
      initialize: () => initializer?.(...(initargs as never[])),
      functionOf: (id: number) => this.functions.functionOf(id),
    }
  }

  #importedDuty(socket: WorkerSocket | undefined) {
    const { initializer, initargs } = this.#plan
    return {
      socket: socket && new SentSocket(socket.workers),
      initializer: initializer && this.functions.exportOf(initializer, 'options.initializer'),
      initargs,
    }
  }
}

function toEnding(exitCode: number): Ending {
  return { exitCode, signal: exitCode < 0 ? signalName(-exitCode) : null }
}

/** A worker that doesn't heed SIGTERM is killed. */
const graceMs = 1000

function terminate(child: Child): void {
  child.signal(constants.signals.SIGTERM)
  const timer = setTimeout(() => child.signal(constants.signals.SIGKILL), graceMs)
  void child.ended.then(() => clearTimeout(timer))
}
