// A pool's worker, in its own process: takes one task after the other until there will be no more.
import { invalidArgValue } from '../errors'
import type { ExportedFunction } from './launcher'
import { EOFError, MessageChannel } from './message-channel'
import { isCloneable, type Thrown, toThrown } from './pool-errors'
import { fromTask, type TaskHeader, type TaskResult, toDone, toInitializerFailure, toReady } from './pool-protocol'

export type Task = (...args: never[]) => unknown

export interface WorkerDuty {
  /** The worker's end. */
  socket: number
  initialize: () => unknown
  /** `exported`: where it is to be imported from, if this process is no copy of the pool's. */
  functionOf: (id: number, exported?: ExportedFunction) => Task | Promise<Task>
}

/** Tasks that come without a pause give way to the event loop after so many milliseconds. */
const longestRun = 10

/** Resolves when the pool is gone, or wants no more of this worker. */
export async function serve({ socket, initialize, functionOf }: WorkerDuty): Promise<void> {
  const channel = new MessageChannel(socket)
  try {
    await initialize()
  } catch (error) {
    await channel.send(toInitializerFailure(toThrown(error)))
    return process.exit(1)
  }
  await channel.send(toReady())
  let begin = performance.now()
  for (;;) {
    const givesWay = performance.now() - begin > longestRun
    const bytes = await nextTask(channel, givesWay)
    if (bytes === undefined) return channel.close()
    if (givesWay) begin = performance.now()
    await channel.send(await reportOf(bytes, functionOf))
  }
}

async function nextTask(channel: MessageChannel, givesWay: boolean): Promise<Buffer | undefined> {
  try {
    const { bytes } = await channel.receive(undefined, givesWay)
    return bytes
  } catch (error) {
    if (error instanceof EOFError) return undefined
    throw error
  }
}

async function reportOf(bytes: Buffer, functionOf: WorkerDuty['functionOf']): Promise<Buffer> {
  const { header, items } = fromTask(bytes)
  const result = await resultOf(header, items, functionOf)
  try {
    return toDone(header.id, result)
  } catch {
    return toDone(header.id, withoutUncloneable(result))
  }
}

async function resultOf(header: TaskHeader, items: readonly unknown[], functionOf: WorkerDuty['functionOf']) {
  let task: Task
  try {
    task = await functionOf(header.functionId, header.exported)
  } catch (error) {
    const thrown = toThrown(error)
    return { values: items.map(() => undefined), thrown: new Map(items.map((_, index) => [index, thrown])) }
  }
  return run(task, items, header.spreads)
}

async function run(task: Task, items: readonly unknown[], spreads: boolean): Promise<TaskResult> {
  const values: unknown[] = []
  const thrown = new Map<number, Thrown>()
  for (const [index, item] of items.entries()) {
    let value: unknown
    try {
      value = spreads ? task(...(item as never[])) : task(item as never)
      // Only what is a promise is awaited: a turn for each of a thousand sums would cost more than they.
      if (isThenable(value)) value = await value
    } catch (error) {
      value = undefined
      thrown.set(index, toThrown(error))
    }
    values.push(value)
  }
  return { values, thrown }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function withoutUncloneable({ values, thrown }: TaskResult): TaskResult {
  const refused = new Map(thrown)
  const cloneable = values.map((value, index) => {
    if (isCloneable(value)) return value
    refused.set(index, toThrown(invalidArgValue('result', value, "can't be sent from a worker to its pool")))
    return undefined
  })
  return { values: cloneable, thrown: refused }
}
