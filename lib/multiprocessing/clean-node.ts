// A Node of its own, that has of this process nothing but 0-2 and what it is handed.
import { closeSync } from 'node:fs'
import { F_DUPFD_CLOEXEC } from '../constants'
import { fcntl } from '../descriptors'
import { fdTable } from '../fd-table'
import { type FileAction, posix_spawn } from '../spawn'
import type { Bytes, Env } from '../validate'

export interface CleanNode {
  /** The program, and its arguments. */
  script: string
  args: readonly string[]
  /** Open files for it: the first becomes 3, the next 4 and so on. They stay open here. */
  fds: readonly number[]
  execArgv: readonly string[]
  env?: Env | undefined
  cwd?: Bytes | undefined
}

/**
 * Starts it.
 *
 * @returns its pid, to be waited for
 * @throws PosixError as posix_spawn and fdTable do
 */
export function spawnNode({ script, args, fds, execArgv, env, cwd }: CleanNode): number {
  const first = 3
  const end = first + fds.length
  // Above all their new numbers: a dup2 must not close what a later one needs.
  const copies: number[] = []
  try {
    for (const fd of fds) copies.push(fcntl(fd, F_DUPFD_CLOEXEC, end))
    const fileActions: FileAction[] = [
      ...copies.map((fd, index) => ({ action: 'dup2', fd, newFd: first + index }) as const),
      ...inheritable(end).map((fd) => ({ action: 'close', fd }) as const),
    ]
    if (cwd !== undefined) fileActions.push({ action: 'chdir', path: cwd })
    return posix_spawn(process.execPath, [process.execPath, ...execArgv, script, ...args], { env, fileActions })
  } finally {
    for (const fd of copies) closeSync(fd)
  }
}

/** What an exec would keep, as `pipe` and `dup` make it. */
function inheritable(lowest: number): number[] {
  return fdTable().flatMap(({ fd, cloexec }) => (fd >= lowest && !cloexec ? [fd] : []))
}

// The program on the command line, what is done with it instead of running it, and ports that can be had only once.
const withValue = /^(-e|--eval|-p|--print|-pe|--input-type|--watch-path)$/
const alone =
  /^(-i|--interactive|-c|--check|--test(-.*)?|--watch(-.*)?|--inspect(-.*)?|(--eval|--print|--input-type)=.*)$/

/** The options of this Node that another one with a program of its own is to have, too. */
export function inheritedExecArgv(): string[] {
  const kept: string[] = []
  for (let index = 0; index < process.execArgv.length; index++) {
    const option = process.execArgv[index] as string
    if (withValue.test(option)) index++
    else if (!alone.test(option)) kept.push(option)
  }
  return kept
}
