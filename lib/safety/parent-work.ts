// What Node still has to do for the parent of a fork: timers, immediates, ticks, rejections. A child that runs one
// function and nothing else gives it up. Node has lists of all that, but no way to them; its own functions refer to
// them, and the inspector tells what a function refers to.
import { executionAsyncResource } from 'node:async_hooks'
import type { Session } from 'node:inspector'
import * as timers from 'node:timers'
import { MessageChannel } from 'node:worker_threads'
import { binding } from '../binding'

interface ListItem {
  _idleNext: ListItem | null
  _idlePrev: ListItem | null
}

interface ImmediateList {
  head: ListItem | null
  tail: ListItem | null
}

interface NodeProcess {
  _tickCallback(): void
  _fatalException(error: unknown, fromPromise: boolean): boolean
}

/** By function: which of the variables that it refers to are wanted. All are there from Node 20 to 26. */
const wanted = [
  { of: timers.clearTimeout, names: ['timerListMap', 'timerListQueue', 'immediateQueue', 'immediateInfo'] },
  { of: (process as unknown as NodeProcess)._tickCallback, names: ['queue', 'processPromiseRejections'] },
  { of: (process as unknown as NodeProcess)._tickCallback, names: ['setHasTickScheduled', 'setHasRejectionToWarn'] },
  { of: (process as unknown as NodeProcess)._fatalException, names: ['clearAsyncIdStack'] },
  { of: executionAsyncResource, names: ['execution_async_resources'] },
] as const

const hasOutstanding = 2

interface NodeWork {
  /** By duration: rings of Timeouts. */
  timerListMap: Record<string, ListItem>
  /** The same rings, the earliest first. */
  timerListQueue: { shift(): unknown }
  immediateQueue: ImmediateList
  /** How many immediates there are, how many keep the event loop going, and whether they are being run. */
  immediateInfo: Uint32Array
  queue: { shift(): unknown }
  processPromiseRejections(): boolean
  setHasTickScheduled(has: boolean): void
  setHasRejectionToWarn(has: boolean): void
  clearAsyncIdStack(): void
  /** What is being run, the innermost last. */
  execution_async_resources: unknown[]
}

const probe = timers.setTimeout(() => {}, 0)
timers.clearTimeout(probe)
const Timeout = probe.constructor
const immediateProbe = timers.setImmediate(() => {})
timers.clearImmediate(immediateProbe)
const Immediate = immediateProbe.constructor

let work: NodeWork | undefined
/** Where immediates that have yet to run are while the one before them runs. */
let outstandingImmediates: ImmediateList | undefined
let knowsPorts = false

/**
 * Finds what {@link forgetParentWork} needs; before the fork, as it takes some milliseconds the first time.
 *
 * @throws ERR_FEATURE_UNAVAILABLE_ON_PLATFORM if this Node has no inspector, or other names
 */
export function findParentWork(): void {
  work ??= inspect(findWork)
  if (!knowsPorts) findPorts()
  if (work.immediateInfo[hasOutstanding] !== 0) outstandingImmediates ??= inspect(findOutstandingImmediates)
}

/** Only by one of them can native/fork/silence.cc tell which handles of the event loop are a MessagePort's. */
function findPorts(): void {
  const { port1 } = new MessageChannel()
  knowsPorts = binding.knowMessagePorts()
  port1.close()
  if (!knowsPorts) throw unavailable('the event loop, which has other ports here than are known')
}

/** In the child: nothing of it will be done. True if it is Node's timers that are running. */
export function forgetParentWork(): boolean {
  const known = work as NodeWork
  const isInTimers = runsTimers()
  forgetRejections(known)
  while (known.queue.shift() !== null);
  known.setHasTickScheduled(false)
  known.setHasRejectionToWarn(false)
  forgetTimers(known)
  forgetImmediates(known)
  // What is given up in the midst would be missed there: Node compares at the end of each callback.
  known.clearAsyncIdStack()
  return isInTimers
}

/** Rejections that nobody has handled yet are reported once all is over: to nobody. */
function forgetRejections({ processPromiseRejections }: NodeWork): void {
  const own = Object.getOwnPropertyDescriptor(process, 'emit')
  Object.defineProperty(process, 'emit', { value: () => true, configurable: true })
  try {
    processPromiseRejections()
  } finally {
    if (own === undefined) Reflect.deleteProperty(process, 'emit')
    else Object.defineProperty(process, 'emit', own)
  }
}

function forgetTimers({ timerListMap, timerListQueue, execution_async_resources }: NodeWork): void {
  const all = Object.values(timerListMap).flatMap((list) => itemsOf(list._idlePrev, list, '_idlePrev'))
  const running = execution_async_resources.filter((resource) => resource instanceof Timeout)
  for (const timer of [...all, ...running]) timers.clearTimeout(timer as NodeJS.Timeout)
  // Rings that are left empty would let ticks and microtasks run between them.
  while (timerListQueue.shift() !== undefined);
  for (const duration of Object.keys(timerListMap)) delete timerListMap[duration]
}

function forgetImmediates({ immediateQueue, immediateInfo, execution_async_resources }: NodeWork): void {
  // While the first of them runs, it alone knows the others.
  const heads = execution_async_resources.filter((resource) => resource instanceof Immediate) as ListItem[]
  for (const list of [immediateQueue, outstandingImmediates]) {
    if (list?.head) heads.push(list.head)
    if (list !== undefined) list.head = list.tail = null
  }
  // Those that the target cleared otherwise Node would miss in its count, and end before it has run the target's own.
  for (const immediate of heads.flatMap((head) => itemsOf(head, null, '_idleNext'))) {
    timers.clearImmediate(immediate as NodeJS.Immediate)
  }
  // Not the numbers before it: they also count native immediates, which are still to come.
  immediateInfo[hasOutstanding] = 0
  // Node hears only from the last of them that the event loop needn't go on.
  timers.clearImmediate(timers.setImmediate(() => {}))
}

function itemsOf(first: ListItem | null, end: ListItem | null, next: keyof ListItem): unknown[] {
  const items: ListItem[] = []
  for (let item = first; item !== end && item !== null; item = item[next]) items.push(item)
  return items
}

function runsTimers(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.prepareStackTrace = undefined as unknown as typeof prepareStackTrace
  Error.stackTraceLimit = Number.POSITIVE_INFINITY
  const stack = new Error().stack as string
  Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  return /processTimers \(node:internal\/timers:/.test(stack)
}

function unavailable(means: string, cause?: unknown): Error {
  const message = `the start method 'fork' finds what this process is at by ${means}: use 'spawn'`
  return Object.assign(new Error(message, { cause }), { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' })
}

/** Asks the inspector: `Domain.method`, its parameters. */
type Ask = (method: string, params: object) => unknown

const holderName = 'truefork.found'

interface Remote {
  objectId: string
  description?: string
}

function inspect<Found>(find: (ask: Ask) => Found): Found {
  let session: Session | undefined
  try {
    const inspector = require('node:inspector') as typeof import('node:inspector')
    const connected = new inspector.Session()
    connected.connect()
    session = connected
    return find((method, params) => {
      let outcome: unknown
      connected.post(method, params, (error, result) => {
        if (error !== null) throw Object.assign(new Error(`${method}: ${error.message}`), error)
        outcome = result
      })
      if (outcome === undefined) throw new Error(`${method}: no answer`)
      return outcome
    })
  } catch (cause) {
    throw unavailable("node:inspector, which doesn't answer here as it is known to", cause)
  } finally {
    session?.disconnect()
  }
}

function findWork(ask: Ask): NodeWork {
  return take(ask, (holder) => {
    for (const { of, names } of wanted) {
      const variables = variablesOf(ask, of)
      for (const name of names) {
        const variable = variables.find((each) => each.name === name)
        if (variable?.value?.objectId === undefined) throw new Error(`Node has no ${name}`)
        put(ask, holder, name, variable.value)
      }
    }
  }) as unknown as NodeWork
}

function findOutstandingImmediates(ask: Ask): ImmediateList {
  const { immediateQueue } = work as NodeWork
  const { lists } = take(ask, (holder) => {
    const prototype = remoteOf(ask, Object.getPrototypeOf(immediateQueue))
    const { objects } = ask('Runtime.queryObjects', { prototypeObjectId: prototype.objectId }) as { objects: Remote }
    put(ask, holder, 'lists', objects)
  }) as { lists: ImmediateList[] }
  const others = lists.filter((list) => list !== immediateQueue && Object.hasOwn(list, 'head'))
  if (others.length !== 1) throw new Error(`Node has ${others.length} lists of outstanding immediates`)
  return others[0] as ImmediateList
}

/** What `fill` puts into an object that the inspector knows, too. */
function take(ask: Ask, fill: (holder: Remote) => void): Record<string, unknown> {
  const holder = {}
  fill(remoteOf(ask, holder))
  return holder
}

/** The inspector's name for an object. */
function remoteOf(ask: Ask, object: object): Remote {
  const key = Symbol.for(holderName)
  Object.defineProperty(globalThis, key, { value: object, configurable: true })
  try {
    const expression = `globalThis[Symbol.for(${JSON.stringify(holderName)})]`
    return (ask('Runtime.evaluate', { expression }) as { result: Remote }).result
  } finally {
    Reflect.deleteProperty(globalThis, key)
  }
}

function put(ask: Ask, holder: Remote, name: string, { objectId }: Remote): void {
  ask('Runtime.callFunctionOn', {
    objectId: holder.objectId,
    functionDeclaration: 'function (name, value) { this[name] = value }',
    arguments: [{ value: name }, { objectId }],
  })
}

interface Variable {
  name: string
  value?: Remote
}

/** The variables of the module that a function stands in, as far as functions there refer to them. */
function variablesOf(ask: Ask, of: unknown): Variable[] {
  const properties = (remote: Remote) =>
    ask('Runtime.getProperties', { objectId: remote.objectId, ownProperties: true }) as {
      result: Variable[]
      internalProperties?: Variable[]
    }
  const { internalProperties = [] } = properties(remoteOf(ask, of as object))
  const scopes = internalProperties.find(({ name }) => name === '[[Scopes]]')?.value
  if (scopes === undefined) throw new Error('no [[Scopes]]')
  return properties(scopes).result.flatMap(({ value }) =>
    value?.description === 'Closure' ? properties(value).result : [],
  )
}
