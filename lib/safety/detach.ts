// A forked child that has nothing to do with what its parent was at: what the parent's program had itself told about is
// taken away here, in JavaScript; native/fork/silence.cc has done so for the event loop.
import { createReadStream, type ReadStream } from 'node:fs'
import type { Agent } from 'node:http'
import { inspect } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { binding } from '../binding'
import { forgetWaits } from '../exit-watch'
import { emptyStdin } from '../multiprocessing/empty-stdin'
import { forgetReadiness } from '../multiprocessing/readiness'
import { forgetSharedWaits } from '../multiprocessing/waiting'
import { forgetParentWork } from './parent-work'

interface NodeProcess {
  reallyExit(code?: number): never
  _fatalException(error: unknown, fromPromise: boolean): boolean
  _rawDebug(text: string): void
  moduleLoadList?: readonly string[]
}

const internals = process as unknown as NodeProcess

/** Listeners on process that are Node's own, by their names. */
const listenersOfNode: Readonly<Record<string, string>> = {
  newListener: 'startListeningIfSignal',
  removeListener: 'stopListeningIfSignal',
  warning: 'onWarning',
}

let workers: readonly WeakRef<Worker>[] = []

/** From now on Workers are known, so that a child can end its copies of them. */
export function noteWorkers(): void {
  process.on('worker', (worker) => {
    workers = [...workers.filter((known) => known.deref() !== undefined), new WeakRef(worker)]
  })
}

/** Takes the parent's work away from the child, for good. True if it is Node's timers that are running. */
export function detachFromParent(): boolean {
  forgetWaits()
  forgetSharedWaits()
  forgetReadiness()
  removeListeners()
  const isInTimers = forgetParentWork()
  leaveChannel()
  leaveConnections()
  replaceStdin()
  endWithoutParent()
  return isInTimers
}

function removeListeners(): void {
  // A domain would catch errors, and it alone can give that up.
  if (internals.moduleLoadList?.includes('NativeModule domain')) {
    const { _stack } = require('node:domain') as unknown as { _stack: { exit(): void }[] }
    _stack[0]?.exit()
  }
  try {
    process.setUncaughtExceptionCaptureCallback(null)
  } catch {} // refused while the module domain is loaded, which has none any more
  // Who listens for the removal of listeners goes first.
  for (const event of ['removeListener', 'newListener', ...process.eventNames()]) {
    for (const listener of process.rawListeners(event)) {
      if (listener.name !== listenersOfNode[event as string]) process.removeListener(event as string, listener as never)
    }
  }
  noteWorkers()
}

/** Once the event loop is the child's: the end of a Worker needs JavaScript. */
export function endWorkers(): void {
  for (const known of workers) {
    const worker = known.deref()
    if (worker === undefined) continue
    worker.removeAllListeners()
    void worker.terminate()
  }
  workers = []
}

/** The channel of child_process.fork to the parent's own parent. */
function leaveChannel(): void {
  if (process.channel === undefined || process.channel === null) return
  for (const name of ['send', 'disconnect', 'channel']) {
    Object.defineProperty(process, name, { value: undefined, configurable: true, writable: true })
  }
  process.connected = false
}

/** What http and fetch keep open for the next request is the parent's. */
function leaveConnections(): void {
  for (const [loaded, name] of [
    ['NativeModule http', 'node:http'],
    ['NativeModule https', 'node:https'],
  ] as const) {
    if (!internals.moduleLoadList?.includes(loaded)) continue
    const { globalAgent } = require(name) as { globalAgent: Agent }
    Object.assign(globalAgent, { sockets: {}, freeSockets: {}, requests: {}, totalSocketCount: 0 })
  }
  const holder = globalThis as unknown as Record<symbol, object | undefined>
  const [older, newer] = [1, 2].map((version) => Symbol.for(`undici.globalDispatcher.${version}`)) as [symbol, symbol]
  const agent = anew(holder[newer])
  if (agent !== undefined) holder[newer] = agent
  // Since Node 26 the older one is made of the newer; one of the same class would take it for its options.
  const isMadeOf = agent !== undefined && holder[older]?.constructor !== agent.constructor
  const dispatcher = anew(holder[older], ...(isMadeOf ? [agent] : []))
  if (dispatcher !== undefined) holder[older] = dispatcher
}

/** Another of the same class, if it can be made: what throws here would run the parent's catch. */
function anew(dispatcher: object | undefined, ...args: unknown[]): object | undefined {
  try {
    return dispatcher && Reflect.construct(dispatcher.constructor, args)
  } catch {
    return undefined // a program's own, which needs to be told more
  }
}

/** The parent's stream goes, too. */
function replaceStdin(): void {
  emptyStdin()
  let stdin: ReadStream | undefined
  Object.defineProperty(process, 'stdin', {
    get() {
      stdin ??= createReadStream('', { fd: 0, autoClose: false })
      return stdin
    },
    configurable: true,
    enumerable: true,
  })
}

let endsWithoutParent = false

/** Whichever way the child ends, nothing runs that was registered for the end of its parent. */
function endWithoutParent(): void {
  if (endsWithoutParent) return
  endsWithoutParent = true
  internals.reallyExit = (code = 0) => binding._exit(code)
  const fatalException = internals._fatalException
  internals._fatalException = (error, fromPromise) => {
    binding.exitWith(7) // Node's code for an error in a handler of uncaught errors
    const isHandled = fatalException.call(process, error, fromPromise)
    binding.exitWith(Number(process.exitCode ?? 1))
    return isHandled
  }
  binding.onEmptyLoop(
    () => (process.emit as (event: string, code: number) => boolean)('beforeExit', Number(process.exitCode ?? 0)),
    () => {
      internals._rawDebug(
        `Warning: nothing is left to do, but the target's promise is unsettled (pid ${inspect(process.pid)})`,
      )
      process.exit(13) // Node's code for a module that waits in vain
    },
    () => {},
  )
}
