// Children made by posix_spawn in the test's own process.
import { closeSync } from 'node:fs'
import {
  type Bytes,
  describeStatus,
  kill,
  type PosixSpawnOptions,
  type posix_spawn,
  posix_spawnp,
  type StatusDescription,
  waitpid,
} from 'truefork'
import { privatePipe, readToEnd } from './pipes'

export interface Captured {
  pid: number
  stdout: string
  /** The same as bytes. */
  output: Buffer
  status: StatusDescription
}

/** Runs a program found by PATH with its output in a pipe, until it has ended. */
export function capture(argv: readonly [Bytes, ...Bytes[]], options: PosixSpawnOptions = {}): Captured {
  return captureFile(posix_spawnp, argv[0], argv, options)
}

/** {@link capture}, with the call and the file to be chosen. The file actions given are done after the pipe's. */
export function captureFile(
  spawn: typeof posix_spawn,
  file: Bytes,
  argv: readonly Bytes[],
  options: PosixSpawnOptions = {},
): Captured {
  const [readEnd, writeEnd] = privatePipe()
  try {
    const pid = spawnInto(writeEnd, spawn, file, argv, options)
    const output = readToEnd(readEnd)
    return { pid, output, stdout: output.toString(), status: describeStatus(waitpid(pid).status) }
  } finally {
    closeSync(readEnd)
  }
}

function spawnInto(
  writeEnd: number,
  spawn: typeof posix_spawn,
  file: Bytes,
  argv: readonly Bytes[],
  options: PosixSpawnOptions,
): number {
  try {
    const toPipe = { action: 'dup2', fd: writeEnd, newFd: 1 } as const
    return spawn(file, argv, { ...options, fileActions: [toPipe, ...(options.fileActions ?? [])] })
  } finally {
    closeSync(writeEnd)
  }
}

/** A child that ends with this code at once. */
export function exiting(code: number, options?: PosixSpawnOptions): number {
  return posix_spawnp('sh', ['sh', '-c', `exit ${code}`], options)
}

/** A child that goes on until a signal ends it; the test's teardown does, if nothing has before. */
export function sleeping(t: { teardown(undo: () => void): unknown }, options?: PosixSpawnOptions): number {
  const pid = posix_spawnp('sleep', ['sleep', '600'], options)
  t.teardown(() => {
    try {
      kill(pid, 'SIGKILL')
      waitpid(pid)
    } catch {} // the test has reaped it
  })
  return pid
}

/** What describeStatus says of a program that ended by itself. */
export const exited = (code: number): StatusDescription => ({ kind: 'exited', code })
