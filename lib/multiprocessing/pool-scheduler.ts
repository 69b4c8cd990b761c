// Who runs what: gives the chunks of calls to workers, starts workers as they are needed, and bears their deaths.
import type { OutgoingMessage } from './message-socket'
import { fromThrown, PoolError, WorkerDiedError } from './pool-errors'
import type { Job } from './pool-job'
import type { Report } from './pool-protocol'
import type { Ending, PoolWorker, Task } from './pool-worker'

export interface Staff {
  /** How many workers there may be at once. */
  readonly size: number
  /** Starts one that knows all functions in use. */
  start(): PoolWorker
  /** A chunk's message. */
  messageOf(id: number, job: Job, items: readonly unknown[]): OutgoingMessage
}

/** So many workers that end, one after the other, before they are ready, and none that is for so long, are no accident. */
const mostStillborn = 16
const longestBarrenMs = 3000

export class Scheduler {
  readonly #staff: Staff
  readonly #jobs = new Set<Job>()
  /** Tasks that no worker has any more, or has had yet; the first to go first. */
  readonly #waiting: Task[] = []
  readonly #workers = new Set<PoolWorker>()
  #stillborn = 0
  #barrenSince = 0
  #lastId = 0
  #isGiving = false
  #mustGiveAgain = false
  #failure: unknown
  #isClosed = false
  #onEmpty: () => void = () => {}

  constructor(staff: Staff) {
    this.#staff = staff
  }

  /** Every worker whose process hasn't been reaped. */
  get workers(): ReadonlySet<PoolWorker> {
    return this.#workers
  }

  add(job: Job): void {
    if (this.#failure !== undefined) {
      job.fail(this.#failure)
      return
    }
    this.#jobs.add(job)
    this.giveTasks()
  }

  /** To be called when a job is over. */
  remove(job: Job): void {
    this.#jobs.delete(job)
    this.#takeBackAll(job)
    this.#dismissIfClosed()
  }

  /** Gives workers what they have room for. */
  giveTasks(): void {
    this.#mustGiveAgain = true
    if (this.#isGiving) return
    this.#isGiving = true
    try {
      while (this.#mustGiveAgain) {
        this.#mustGiveAgain = false
        while (this.#giveOne());
        this.#helpOut()
      }
    } finally {
      this.#isGiving = false
    }
    this.#dismissIfClosed()
  }

  /** No more jobs come. Workers end when those that there are are over. */
  close(): void {
    this.#isClosed = true
    this.#dismissIfClosed()
  }

  /** Fails every job, those to come as well, and ends all workers at once. */
  fail(error: unknown): void {
    this.#failure ??= error
    for (const job of [...this.#jobs]) job.fail(error)
    for (const { process } of this.#workers) process.terminate()
  }

  /** Resolves when there are no workers. */
  async empty(): Promise<void> {
    while (this.#workers.size > 0) {
      await new Promise<void>((resolve) => {
        const previous = this.#onEmpty
        this.#onEmpty = () => {
          previous()
          resolve()
        }
      })
    }
  }

  /** In a process that has only a copy of this: the workers are another's. */
  leaveToParent(): void {
    for (const worker of this.#workers) worker.close()
    this.#workers.clear()
    this.#jobs.clear()
    this.#waiting.length = 0
  }

  /** False: nothing is left to be given, or nobody has room for it. */
  #giveOne(): boolean {
    const task = this.#failure === undefined ? this.#nextTask() : undefined
    if (task === undefined) return false
    const worker = this.#workerFor(task.job)
    if (worker?.give(task)) return true
    this.#waiting.unshift(task)
    // A job whose worker couldn't be started has failed meanwhile; others may be luckier.
    return task.job.isOver
  }

  #nextTask(): Task | undefined {
    for (;;) {
      const task = this.#waiting.shift()
      if (task === undefined) break
      if (!task.job.isOver) return task
      task.message.release()
    }
    for (const job of this.#jobs) {
      const task = this.#taskOf(job)
      if (task !== undefined) return task
    }
    return undefined
  }

  #taskOf(job: Job): Task | undefined {
    for (;;) {
      const chunk = job.take()
      if (chunk === undefined) return undefined
      this.#lastId = (this.#lastId + 1) >>> 0
      const id = this.#lastId
      try {
        return { id, job, chunk, message: this.#staff.messageOf(id, job, chunk.items) }
      } catch (error) {
        job.failChunk(chunk, error)
      }
    }
  }

  #workerFor(job: Job): PoolWorker | undefined {
    let best: PoolWorker | undefined
    let stale: PoolWorker | undefined
    let active = 0
    for (const worker of this.#workers) {
      if (worker.isRetired) continue
      active++
      if (!worker.canRun(job.functionId)) stale = worker.isIdle ? worker : stale
      else if (worker.hasRoom() && (best === undefined || worker.load < best.load)) best = worker
    }
    if (best?.isIdle) return best
    if (active >= this.#staff.size) {
      if (stale === undefined) return best
      stale.retire()
    }
    return this.#start(job) ?? best
  }

  /** undefined: it can't be had; then the job has failed, unless another worker can run it. */
  #start(job: Job): PoolWorker | undefined {
    try {
      const worker = this.#staff.start()
      this.#workers.add(worker)
      void worker.process.ended.then((ending) => this.#bury(worker, ending))
      return worker
    } catch (error) {
      const others = [...this.#workers].filter((worker) => !worker.isRetired && worker.canRun(job.functionId))
      if (others.length === 0) job.fail(error)
      return undefined
    }
  }

  /** A worker with nothing to do takes over what another has been given, but hasn't begun. */
  #helpOut(): void {
    for (const idle of this.#workers) {
      if (!idle.isIdle || !idle.hasRoom()) continue
      const busiest = this.#busiestFor(idle)
      const task = busiest?.takeBack()
      if (task === undefined) continue
      if (task.job.isOver) {
        task.message.release()
        this.#mustGiveAgain = true
      } else if (!idle.give(task)) {
        this.#waiting.unshift(task)
      }
    }
  }

  #busiestFor(idle: PoolWorker): PoolWorker | undefined {
    let busiest: PoolWorker | undefined
    for (const worker of this.#workers) {
      if (worker.isRetired || worker.load < Math.max(2, (busiest?.load ?? 0) + 1)) continue
      if (worker.waiting.every(({ job }) => idle.canRun(job.functionId))) busiest = worker
    }
    return busiest
  }

  #takeBackAll(job: Job): void {
    for (const worker of this.#workers) {
      if (worker.isRetired || !worker.waiting.some((task) => task.job === job)) continue
      for (;;) {
        const task = worker.takeBack()
        if (task === undefined) break
        if (task.job.isOver) task.message.release()
        else this.#waiting.push(task)
      }
    }
    if (this.#waiting.length > 0) this.giveTasks()
  }

  hear(worker: PoolWorker): void {
    for (const { report, task } of worker.reports()) this.#note(worker, report, task)
    this.giveTasks()
  }

  #note(worker: PoolWorker, report: Report, task: Task | undefined): void {
    if (report.kind === 'ready') {
      worker.isReady = true
      this.#stillborn = 0
    } else if (report.kind === 'initializer') {
      const cause = fromThrown(report.thrown, '')
      this.fail(new PoolError('ERR_POOL_INITIALIZER', "the pool's initializer failed in a worker", { cause }))
    } else if (task !== undefined) {
      task.message.release()
      task.job.settle(task.chunk, report.result)
    }
  }

  #bury(worker: PoolWorker, ending: Ending): void {
    if (!this.#workers.has(worker)) return // it was left to the parent
    for (;;) {
      const reports = worker.isRetired ? [] : [...worker.reports()]
      for (const { report, task } of reports) this.#note(worker, report, task)
      if (reports.length === 0) break
    }
    const { begun, waiting } = worker.leave()
    this.#workers.delete(worker)
    this.#waiting.unshift(...waiting)
    const { name, pid } = worker.process
    const died = new WorkerDiedError({ name, pid, ...ending })
    for (const { job, chunk, message } of begun) {
      message.release()
      job.failChunk(chunk, died)
    }
    if (!worker.isReady && !worker.isRetired) this.#noteStillborn(died)
    this.giveTasks()
    if (this.#workers.size === 0) this.#tellEmpty()
  }

  #noteStillborn(cause: WorkerDiedError): void {
    if (this.#stillborn++ === 0) this.#barrenSince = performance.now()
    if (this.#stillborn < mostStillborn || performance.now() - this.#barrenSince < longestBarrenMs) return
    const message = `${this.#stillborn} workers, one after the other, ended before they were ready`
    this.fail(new PoolError('ERR_POOL_WORKERS', message, { cause }))
  }

  #dismissIfClosed(): void {
    if (!this.#isClosed || this.#jobs.size > 0) return
    for (const worker of this.#workers) if (worker.isIdle) worker.retire()
  }

  #tellEmpty(): void {
    const tell = this.#onEmpty
    this.#onEmpty = () => {}
    tell()
  }
}
