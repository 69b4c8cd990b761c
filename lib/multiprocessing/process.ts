// Process: a function that runs in a child.
import { constants } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { invalidArgType, invalidState, outOfRange, workerUnsupported } from '../errors'
import { noteWorkers } from '../safety/detach'
import { toBoolean, toOptions } from '../validate'
import { Child, holdLoop } from './children'
import { importsModules, nextPath, ownIdentity, ownName, type ProcessIdentity } from './current'
import type { ExportedFunction, Job, StartMethod } from './launcher'
import { longestTimer } from './longest-timer'
import { isCurrent, setCurrent } from './own-process'
import { launcherOf } from './start-methods'

/** What a Process runs: a function, or an export of a module. */
export type Target<Args extends unknown[]> = ((...args: Args) => unknown) | ExportedFunction

export interface ProcessOptions<Args extends unknown[] = unknown[]> {
  /** Runs in the child. 'fork' takes any function; else it is an exported one, by itself or by its module. */
  target?: Target<Args> | undefined
  /** Its arguments. Under 'fork' they are as they are; else they travel by structured clone. */
  args?: Readonly<Args> | undefined
  /** Default: the class's name and a number, `Process-1`; a child's children are `Process-1:1`. */
  name?: string | undefined
  /** Whether it ends with this process, however that ends. Default: false, and this process waits for it. */
  daemon?: boolean | undefined
}

/**
 * A child that runs one function, as Python's Process does.
 *
 * Under the start method 'fork' it has this process's memory as it is at `start()`, and runs nothing of what this process
 * is at: no frame below `start()`, no catch or finally, no timer, tick or promise, no server, socket or listener. Once the
 * target has returned, or its promise is resolved, the child ends, whatever else it has begun.
 */
export class Process<Args extends unknown[] = unknown[]> {
  /** The start method of this class; undefined: that of setStartMethod. */
  static readonly startMethod: StartMethod | undefined = undefined

  #name: string
  #daemon: boolean
  readonly #path: readonly number[]
  readonly #parentPid = process.pid
  #target: Target<Args> | undefined
  #args: Readonly<Args>
  #child: Child | undefined
  #isClosed = false

  /**
   * @param options see {@link ProcessOptions}
   * @throws ERR_INVALID_ARG_TYPE for bad options
   */
  constructor(options?: ProcessOptions<Args>) {
    const { target, args = [], name, daemon } = toOptions(options, 'options')
    if (target !== undefined && typeof target !== 'function') toExportedFunction(target)
    if (!Array.isArray(args)) throw invalidArgType('options.args', 'an instance of Array', args)
    if (name !== undefined) toName(name, 'options.name')
    this.#path = nextPath()
    this.#name = (name as string | undefined) ?? `${new.target.name}-${this.#path.join(':')}`
    // As in Python, the children of a daemon would be daemons, if it could have any.
    this.#daemon = daemon === undefined ? (ownIdentity()?.daemon ?? false) : toBoolean(daemon, 'options.daemon')
    this.#target = target as Target<Args> | undefined
    this.#args = [...args] as unknown as Readonly<Args>
  }

  /** Runs in the child: calls the target with its arguments. To be overridden instead of giving a target. */
  run(): unknown {
    const target = this.#target
    return typeof target === 'function' ? target(...(this.#args as Args)) : undefined
  }

  /**
   * Starts the child.
   *
   * @throws ERR_INVALID_STATE: started before, closed, made by another process; in a daemon, which has no children; in a
   *   module that such a child imports
   * @throws ERR_INVALID_ARG_VALUE: the target can't be imported by the child, or an argument can't be cloned for it
   * @throws ForkHazardError, PosixError: as fork and posix_spawn do
   * @throws ERR_WORKER_UNSUPPORTED_OPERATION in a Worker
   */
  start(): void {
    this.#refuseClosed()
    if (this.#child !== undefined) throw invalidState('a Process is started once')
    if (this.#parentPid !== process.pid) throw invalidState('a Process is started by the process that made it')
    if (!isMainThread) throw workerUnsupported('Process.start')
    if (ownIdentity()?.daemon) throw invalidState('a daemonic Process may not have children')
    if (importsModules()) throw invalidState(bootstrapAdvice)
    const { startMethod } = this.constructor as typeof Process
    const { pid, life } = launcherOf(startMethod).start(this.#job())
    this.#child = new Child(pid, this.#daemon, this as unknown as Process, life)
    // As in Python: whoever holds the Process needn't hold what its target refers to.
    this.#target = undefined
    this.#args = [] as unknown as Readonly<Args>
  }

  /**
   * Waits until the child has ended, while the event loop goes on.
   *
   * @param timeoutMs waits so many milliseconds at most; default: for ever
   * @returns whether it has ended
   * @throws ERR_INVALID_STATE, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE as a rejection: closed, not started, another
   *   process' child; no number from 0 on
   */
  async join(timeoutMs?: number): Promise<boolean> {
    const limit = toTimeout(timeoutMs, 'timeoutMs')
    const child = this.#startedChild()
    if (child.poll() !== undefined) return true
    if (limit === 0) return false
    const letGo = holdLoop()
    let timer: NodeJS.Timeout | undefined
    const expired = new Promise<void>((resolve) => {
      if (limit <= longestTimer) timer = setTimeout(resolve, limit)
    })
    await Promise.race([child.ended, expired])
    clearTimeout(timer)
    letGo()
    return child.poll() !== undefined
  }

  /** The exit code; minus the signal's number, if a signal has ended it; null: it runs, or hasn't been started. */
  get exitCode(): number | null {
    this.#refuseClosed()
    return this.#child?.poll() ?? null
  }

  /** null before it is started. */
  get pid(): number | null {
    this.#refuseClosed()
    if (isCurrent(this)) return process.pid
    return this.#child?.pid ?? null
  }

  get name(): string {
    return this.#name
  }

  set name(name: string) {
    this.#name = toName(name, 'name')
  }

  get daemon(): boolean {
    return this.#daemon
  }

  /** Before it is started. */
  set daemon(daemon: boolean) {
    if (this.#child !== undefined) throw invalidState('a Process that has been started stays what it is')
    this.#daemon = toBoolean(daemon, 'daemon')
  }

  /** @throws ERR_INVALID_STATE: closed, or another process' child */
  isAlive(): boolean {
    this.#refuseClosed()
    if (isCurrent(this)) return true
    this.#refuseOthers()
    return this.#child !== undefined && this.#child.poll() === undefined
  }

  /**
   * Sends SIGTERM; nothing, if it has ended.
   *
   * @throws ERR_INVALID_STATE: closed, or not started
   */
  terminate(): void {
    this.#startedChild().signal(constants.signals.SIGTERM)
  }

  /** Sends SIGKILL, as {@link terminate} does its signal. */
  kill(): void {
    this.#startedChild().signal(constants.signals.SIGKILL)
  }

  /**
   * Lets go of what is kept of it; afterwards only its name and whether it is a daemon can be asked.
   *
   * @throws ERR_INVALID_STATE while it runs
   */
  close(): void {
    if (this.#child !== undefined && this.#child.poll() === undefined) {
      throw invalidState('a Process that runs can be closed only after join() or terminate()')
    }
    this.#child = undefined
    this.#isClosed = true
  }

  #job(): Job {
    const identity: ProcessIdentity = {
      name: this.#name,
      path: this.#path,
      daemon: this.#daemon,
      parentName: ownName(),
      parentPid: process.pid,
    }
    const target = this.#target
    const isPlain = this.run === Process.prototype.run
    return {
      identity,
      daemon: this.#daemon,
      target: isPlain && target !== undefined ? (target as Job['target']) : this.run,
      receiver: isPlain && target !== undefined ? undefined : this,
      args: isPlain ? this.#args : [],
      become: () => {
        this.#child = undefined
        setCurrent(this)
      },
    }
  }

  #startedChild(): Child {
    this.#refuseClosed()
    this.#refuseOthers()
    if (this.#child === undefined) throw invalidState('the Process has not been started')
    return this.#child
  }

  #refuseOthers(): void {
    if (this.#parentPid !== process.pid) throw invalidState("the Process is another process' child")
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw invalidState('the Process is closed')
  }
}

if (isMainThread) noteWorkers()

const bootstrapAdvice = `An attempt has been made to start a new process before the current process has finished its bootstrapping phase.
This process imports the module of its target, and that module starts a Process as it is imported: it would do so for ever.
Start it only where the module is the program: if (require.main === module) { ... }, or in an ES module
if (process.argv[1] === fileURLToPath(import.meta.url)) { ... }`

function toTimeout(value: unknown, name: string): number {
  if (value === undefined) return Number.POSITIVE_INFINITY
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!(value >= 0)) throw outOfRange(name, '>= 0', value)
  return value
}

function toName(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  return value
}

function toExportedFunction(target: unknown): void {
  if (typeof target !== 'object' || target === null) {
    throw invalidArgType('options.target', 'of type function or an object { module, export }', target)
  }
  const { module, export: name } = target as Partial<ExportedFunction>
  toName(module, 'options.target.module')
  toName(name, 'options.target.export')
}
