// A job on its way to a child that is no copy of this process: what the child reads before anything else.
import { deserialize, serialize } from 'node:v8'
import type { ProcessIdentity } from './current'
import { findExport } from './find-export'
import type { ExportedFunction, Job, StartMethod } from './launcher'
import { pack, unpack } from './transfer'

export interface JobHeader {
  identity: ProcessIdentity
  method: StartMethod
  target: ExportedFunction
  /** The target is a class, and its method `run` is called on an object of it. */
  isClass: boolean
  /** Where relative names of modules begin. */
  directory: string
  argv: readonly string[]
}

export interface PackedJob {
  bytes: Buffer
  /** The sender's descriptors, for the child in this order. */
  fds: readonly number[]
}

/**
 * @throws ERR_INVALID_ARG_VALUE: the target isn't exported, or an argument can't be cloned
 */
export function packJob(job: Job, method: 'spawn' | 'forkserver'): PackedJob {
  const { identity, receiver, args } = job
  const header: JobHeader = {
    identity,
    method,
    target: exportedTarget(job),
    isClass: receiver !== undefined,
    directory: process.cwd(),
    argv: process.argv,
  }
  const { data, fds } = receiver === undefined ? pack(args, 'args', method) : pack({ ...receiver }, 'this', method)
  return { bytes: serialize([header, data]), fds }
}

export function unpackHeader(bytes: Uint8Array): [header: JobHeader, data: Uint8Array] {
  return deserialize(bytes) as [JobHeader, Uint8Array]
}

/** The arguments, or the properties of the object, once the modules are there that make them. */
export function unpackData(data: Uint8Array, fds: readonly number[]): unknown {
  return unpack(data, fds)
}

function exportedTarget({ target, receiver }: Job): ExportedFunction {
  if (receiver !== undefined) return findExport(receiver.constructor as never, 'the class of the Process')
  return typeof target === 'function' ? findExport(target, 'options.target') : target
}
