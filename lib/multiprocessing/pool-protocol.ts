// What a pool and its workers tell each other: messages with a header of fixed size, and the rest by structured clone.
import type { ExportedFunction } from './launcher'
import { messageHead } from './message-socket'
import type { Thrown } from './pool-errors'
import { deserialized, serialized } from './serialize'

/** A task is a chunk: calls of one function, each with its own arguments. */
export interface TaskHeader {
  /** The task's, unlike any other of this pool's. */
  id: number
  /** Which function. */
  functionId: number
  /** Whether each item is a list of arguments. */
  spreads: boolean
  /** For a worker that has to import it. */
  exported?: ExportedFunction | undefined
}

const taskHeaderSize = 9
const spreading = 1
const naming = 2

/** @throws ERR_INVALID_ARG_VALUE: an item can't be cloned */
export function toTask({ id, functionId, spreads, exported }: TaskHeader, items: readonly unknown[]): Buffer {
  const head = Buffer.allocUnsafe(messageHead.length + taskHeaderSize)
  head.set(messageHead)
  head.writeUInt32LE(id, 1)
  head.writeUInt32LE(functionId, 5)
  head.writeUInt8((spreads ? spreading : 0) | (exported === undefined ? 0 : naming), 9)
  return exported === undefined ? listed(head, items, 'items') : serialized(head, [exported, items], 'items')
}

const mostPlainItems = 4096
const shortText = 1024
const listBegin = 0x5b // '[', with which nothing begins that node:v8 has serialized

/** A list of our own: of plain values as JSON, as to make a serializer, a native object, takes longer than that. */
function listed(head: Uint8Array, items: readonly unknown[], name: string): Buffer {
  if (items.length > mostPlainItems || !items.every(isPlain)) return serialized(head, items, name)
  const text = JSON.stringify(items)
  const message = Buffer.allocUnsafe(head.length + Buffer.byteLength(text))
  message.set(head)
  message.write(text, head.length)
  return message
}

/** Whether JSON gives it back as it is. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  return value === null || typeof value === 'boolean' || (typeof value === 'string' && value.length < shortText)
}

function fromBody(bytes: Buffer): unknown {
  return bytes[0] === listBegin ? JSON.parse(bytes.toString()) : deserialized(bytes)
}

export function taskIdOf(message: Buffer): number {
  return message.readUInt32LE(0)
}

export function fromTask(message: Buffer): { header: TaskHeader; items: unknown[] } {
  const flags = message.readUInt8(8)
  const header = { id: taskIdOf(message), functionId: message.readUInt32LE(4), spreads: (flags & spreading) !== 0 }
  const body = fromBody(message.subarray(taskHeaderSize))
  if ((flags & naming) === 0) return { header, items: body as unknown[] }
  const [exported, items] = body as [ExportedFunction, unknown[]]
  return { header: { ...header, exported }, items }
}

/** What came of a task: a value for each item; and, for those that threw, what. */
export interface TaskResult {
  values: unknown[]
  /** By the item's index. */
  thrown: ReadonlyMap<number, Thrown>
}

export type Report =
  /** The worker's first word: its initializer has run. */
  { kind: 'ready' } | { kind: 'initializer'; thrown: Thrown } | { kind: 'done'; id: number; result: TaskResult }

const kinds = { ready: 0, initializer: 1, values: 2, mixed: 3 } as const
const reportHeaderSize = 5

function toHead(kind: number, id: number): Buffer {
  const head = Buffer.allocUnsafe(messageHead.length + reportHeaderSize)
  head.set(messageHead)
  head.writeUInt8(kind, 1)
  head.writeUInt32LE(id, 2)
  return head
}

export function toReady(): Buffer {
  return serialized(toHead(kinds.ready, 0), null, 'null')
}

export function toInitializerFailure(thrown: Thrown): Buffer {
  return serialized(toHead(kinds.initializer, 0), thrown, 'error')
}

/** @throws ERR_INVALID_ARG_VALUE: some value can't be cloned */
export function toDone(id: number, { values, thrown }: TaskResult): Buffer {
  if (thrown.size === 0) return listed(toHead(kinds.values, id), values, 'values')
  return serialized(toHead(kinds.mixed, id), { values, thrown }, 'values')
}

const nothingThrown: ReadonlyMap<number, Thrown> = new Map()

export function fromReport(message: Buffer): Report {
  const kind = message.readUInt8(0)
  if (kind === kinds.ready) return { kind: 'ready' }
  const id = message.readUInt32LE(1)
  const body = fromBody(message.subarray(reportHeaderSize))
  if (kind === kinds.initializer) return { kind: 'initializer', thrown: body as Thrown }
  const isMixed = kind === kinds.mixed
  return {
    kind: 'done',
    id,
    result: isMixed ? (body as TaskResult) : { values: body as unknown[], thrown: nothingThrown },
  }
}
