// Workers that call functions on many items: multiprocessing.Pool.
import { type Abortable, throwIfAborted, toAbortSignal } from '../abort'
import { registerAtFork } from '../at-fork'
import { invalidArgType, invalidState, outOfRange } from '../errors'
import { toFunction, toInt32, toOptions } from '../validate'
import { holdLoop } from './children'
import { cpuCount } from './cpu-count'
import type { StartMethod } from './launcher'
import type { Items } from './pool-chunks'
import { PoolError } from './pool-errors'
import { Job, type JobPlan, type Progress } from './pool-job'
import { AllResults, ResultIterator } from './pool-results'
import { Scheduler } from './pool-scheduler'
import { PoolStaff } from './pool-staff'
import { getStartMethod } from './start-methods'

export interface PoolOptions {
  /** Called in each worker before its first task; awaited. */
  initializer?: ((...args: never[]) => unknown) | undefined
  /** What it is called with. */
  initargs?: readonly unknown[] | undefined
  /** How many tasks a worker does before a fresh one takes its place; default: any number. A chunk is one task. */
  maxtasksperchild?: number | undefined
}

export interface PoolCallOptions extends Abortable {
  /** Called in the pool's process whenever results have come. */
  onProgress?: ((progress: Progress) => void) | undefined
}

export interface PoolMapOptions extends PoolCallOptions {
  /** Items that go to a worker together. */
  chunksize?: number | undefined
}

/** Something to iterate over. An async one is read no sooner than workers have room. */
export type PoolItems<Item> = Iterable<Item> | AsyncIterable<Item>

type AnyFunction = (...args: never[]) => unknown

/** What imap has room for beside each worker's tasks: chunks whose results nobody has taken. */
const chunksPerWorker = 9

export class Pool {
  /** The start method of this class; undefined: that of setStartMethod. */
  static readonly startMethod: StartMethod | undefined = undefined

  readonly #staff: PoolStaff
  readonly #scheduler: Scheduler
  readonly #forgetForks: () => void
  #state: 'open' | 'closed' | 'terminated' | 'inherited' = 'open'

  /**
   * @param processes how many workers there may be at once, at least 1; default: cpuCount(). Each is started when there
   *   is a task for it.
   * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARG_TYPE: bad arguments. Source: multiprocessing.pool.Pool.
   */
  constructor(processes?: number, options?: PoolOptions) {
    const size = processes === undefined ? cpuCount() : toPositive(processes, 'processes')
    const { startMethod, name } = new.target
    const plan = { size, method: startMethod ?? getStartMethod(), name: `${name}Worker`, ...toPoolOptions(options) }
    this.#staff = new PoolStaff(plan, (worker) => this.#scheduler.hear(worker))
    this.#scheduler = new Scheduler(this.#staff)
    this.#forgetForks = registerAtFork({ afterInChild: () => this.#leaveToParent() })
  }

  /**
   * Calls a function once, in a worker.
   *
   * @param args its arguments; structured clone takes them there, and its result back
   * @throws what it throws, with a RemoteTraceback as `cause`; WorkerDiedError; AbortError; PoolError. All reject.
   */
  async apply<Args extends readonly unknown[], Result>(
    fn: (...args: Args) => Result,
    args?: Args,
    options?: PoolCallOptions,
  ): Promise<Awaited<Result>> {
    const list = args ?? []
    if (!Array.isArray(list)) throw invalidArgType('args', 'an instance of Array', args)
    const [result] = await this.#all(this.apply, fn, [list], { ...toOptions(options, 'options'), chunksize: 1 }, true)
    return result as Awaited<Result>
  }

  /**
   * Calls a function on each item, and waits for all results.
   *
   * @param chunksize items that go to a worker together, or options; default: each worker gets four chunks, but one item
   *   at a time of an async iterable
   * @returns the results in the order of the items
   * @throws the first error that comes, as apply does; chunks that nobody has begun aren't run then
   */
  async map<Item, Result>(
    fn: (item: Item) => Result,
    items: PoolItems<Item>,
    chunksize?: number | PoolMapOptions,
  ): Promise<Awaited<Result>[]> {
    return this.#all(this.map, fn, items, chunksize, false) as Promise<Awaited<Result>[]>
  }

  /** As map, of a function with several parameters: each item is a list of arguments. */
  async starmap<Args extends readonly unknown[], Result>(
    fn: (...args: Args) => Result,
    items: PoolItems<Args>,
    chunksize?: number | PoolMapOptions,
  ): Promise<Awaited<Result>[]> {
    return this.#all(this.starmap, fn, items, chunksize, true) as Promise<Awaited<Result>[]>
  }

  /**
   * Calls a function on each item, and gives the results one by one, in the order of the items. Items are read only as
   * far as workers and the results' taker keep up. An item's error rejects next(), and the next results follow.
   *
   * @param chunksize items that go to a worker together, or options; default 1
   */
  imap<Item, Result>(
    fn: (item: Item) => Result,
    items: PoolItems<Item>,
    chunksize?: number | PoolMapOptions,
  ): AsyncIterableIterator<Awaited<Result>, undefined> {
    return this.#each(this.imap, fn, items, chunksize, true) as AsyncIterableIterator<Awaited<Result>, undefined>
  }

  /** As imap, in the order in which the results come. */
  imapUnordered<Item, Result>(
    fn: (item: Item) => Result,
    items: PoolItems<Item>,
    chunksize?: number | PoolMapOptions,
  ): AsyncIterableIterator<Awaited<Result>, undefined> {
    return this.#each(this.imapUnordered, fn, items, chunksize, false) as AsyncIterableIterator<
      Awaited<Result>,
      undefined
    >
  }

  /** Takes no more calls. Workers end when what there is has been done. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#scheduler.close()
    void this.#scheduler.empty().then(this.#forgetForks)
  }

  /** Ends all workers at once. What isn't done rejects with PoolError, ERR_POOL_TERMINATED. */
  terminate(): void {
    if (this.#state === 'terminated' || this.#state === 'inherited') return
    this.#state = 'terminated'
    this.#scheduler.close()
    this.#scheduler.fail(new PoolError('ERR_POOL_TERMINATED', 'the pool was terminated before this was done'))
    void this.#scheduler.empty().then(this.#forgetForks)
  }

  /** Waits until all workers have ended. @throws ERR_INVALID_STATE unless close() or terminate() was called; rejects */
  async join(): Promise<void> {
    if (this.#state === 'open') throw invalidState('the pool still runs: close() or terminate() it first')
    if (this.#state === 'inherited') throw notOurs()
    const letGo = holdLoop()
    await this.#scheduler.empty()
    letGo()
  }

  async #all(
    caller: AnyFunction,
    fn: AnyFunction,
    items: unknown,
    options: unknown,
    spreads: boolean,
  ): Promise<unknown[]> {
    const call = this.#toCall(caller, fn, items, options, spreads)
    const isAsync = Symbol.asyncIterator in call.items
    const list = isAsync || Array.isArray(call.items) ? call.items : Array.from(call.items as Iterable<unknown>)
    const chunksize =
      call.chunksize ?? (isAsync ? 1 : Math.max(1, Math.ceil((list as unknown[]).length / (this.#staff.size * 4))))
    const sink = new AllResults()
    this.#begin({ ...call, items: list, chunksize, sink })
    return sink.promise
  }

  #each(
    caller: AnyFunction,
    fn: AnyFunction,
    items: unknown,
    options: unknown,
    isOrdered: boolean,
  ): AsyncIterableIterator<unknown, undefined> {
    const call = this.#toCall(caller, fn, items, options, false)
    const sink = new ResultIterator(isOrdered, this.#staff.size * chunksPerWorker)
    const job = this.#begin({ ...call, chunksize: call.chunksize ?? 1, sink })
    sink.onTaken = () => this.#scheduler.giveTasks()
    sink.onLeft = () => job.stop()
    return sink
  }

  #begin({ fn, ...plan }: Omit<JobPlan, 'functionId'> & { fn: AnyFunction }): Job {
    const functionId = this.#staff.hold(fn)
    const job = new Job(
      { ...plan, functionId },
      () => this.#scheduler.giveTasks(),
      () => {
        this.#staff.functions.release(functionId)
        this.#scheduler.remove(job)
      },
    )
    this.#scheduler.add(job)
    return job
  }

  #toCall(caller: AnyFunction, fn: AnyFunction, items: unknown, chunksizeOrOptions: unknown, spreads: boolean) {
    const options = typeof chunksizeOrOptions === 'number' ? { chunksize: chunksizeOrOptions } : chunksizeOrOptions
    const { chunksize, onProgress } = toOptions(options, 'options')
    const call = {
      fn: toFunction(fn, 'fn'),
      items: toItems(items),
      spreads,
      chunksize: chunksize === undefined ? undefined : toPositive(chunksize, 'chunksize'),
      onProgress:
        onProgress === undefined
          ? undefined
          : (toFunction(onProgress, 'options.onProgress') as (progress: Progress) => void),
      signal: toAbortSignal(options, 'options'),
      calledAt: stackAbove(caller),
    }
    if (this.#state === 'inherited') throw notOurs()
    if (this.#state !== 'open') throw invalidState('the pool takes no more calls')
    throwIfAborted(call.signal)
    return call
  }

  #leaveToParent(): void {
    this.#state = 'inherited'
    this.#scheduler.leaveToParent()
    this.#staff.leaveToParent()
    this.#forgetForks()
  }
}

// Node 20 and later has it; TypeScript's library for es2023 doesn't.
const { asyncDispose } = Symbol as { asyncDispose?: symbol }
if (asyncDispose !== undefined) {
  Object.defineProperty(Pool.prototype, asyncDispose, {
    /** As Python's `with`: terminate(), then join(). */
    value: async function (this: Pool): Promise<void> {
      this.terminate()
      await this.join()
    },
    configurable: true,
    writable: true,
  })
}

function notOurs(): Error {
  return invalidState("the pool is another process's: a child makes one of its own")
}

function toPositive(value: unknown, name: string): number {
  const number = toInt32(value, name)
  if (number < 1) throw outOfRange(name, '>= 1', value)
  return number
}

function toPoolOptions(options: unknown) {
  const { initializer, initargs = [], maxtasksperchild } = toOptions(options, 'options')
  if (!Array.isArray(initargs)) throw invalidArgType('options.initargs', 'an instance of Array', initargs)
  return {
    initializer:
      initializer === undefined ? undefined : (toFunction(initializer, 'options.initializer') as AnyFunction),
    initargs: [...initargs],
    maxTasks:
      maxtasksperchild === undefined
        ? Number.POSITIVE_INFINITY
        : toPositive(maxtasksperchild, 'options.maxtasksperchild'),
  }
}

function toItems(value: unknown): Items {
  const isIterable =
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value))
  if (!isIterable) throw invalidArgType('items', 'an iterable or async iterable', value)
  return Object(value) as Items
}

/** The stack of whoever called this function, to be an error's. */
function stackAbove(caller: AnyFunction): string {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, caller)
  return holder.stack?.replace(/^[^\n]*/, '') ?? ''
}
