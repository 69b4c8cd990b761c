// posix_spawn(3), posix_spawnp(3), and the spawn* family on top of them.
import { binding } from './binding'
import { P_NOWAIT, P_WAIT } from './constants'
import { invalidArgType, invalidArgValue } from './errors'
import { given, splitEnv } from './exec'
import { pidOf, type SpawnRequest, toSpawnRequest } from './spawn-request'
import { waitstatusToExitcode } from './status'
import type { Bytes, Env, Signal } from './validate'
import { waitpid } from './wait'

/** What the child does with its descriptors and its directory before it runs the program. */
export type FileAction =
  | { action: 'open'; fd: number; path: Bytes; flags: number; mode?: number }
  | { action: 'close'; fd: number }
  | { action: 'dup2'; fd: number; newFd: number }
  | { action: 'chdir'; path: Bytes }
  | { action: 'fchdir'; fd: number }
  | { action: 'closefrom'; fd: number }
  | { action: 'tcsetpgrp'; fd: number }
  | { action: 'inherit'; fd: number }

export interface PosixSpawnOptions {
  /** The program's environment; default: this process's own. */
  env?: Env | undefined
  /** Done by the child in their order. `mode` of an 'open' defaults to 0o666. */
  fileActions?: readonly FileAction[] | undefined
  /** The process group to join; 0: a new one, of the child's pid. */
  setpgroup?: number | undefined
  /** A new session. */
  setsid?: boolean | undefined
  /** Effective user and group become the real ones. */
  resetids?: boolean | undefined
  /** The signal mask; default: what sigprocmask has blocked in this thread. */
  setsigmask?: Iterable<Signal> | undefined
  /** The signals to be set to their default; default: all, as Node ignores SIGPIPE. */
  setsigdef?: Iterable<Signal> | undefined
  /** Without `policy` the priority alone is set. ENOSYS on macOS. */
  scheduler?: { policy?: number | undefined; priority: number } | undefined
  /** A descriptor of the cgroup (version 2) to be born in. Needs glibc 2.39, else ENOSYS. */
  cgroup?: number | undefined
  /** macOS: every descriptor is closed but those that file actions name. */
  cloexecDefault?: boolean | undefined
  /** macOS: the child waits for SIGCONT before its first instruction. */
  startSuspended?: boolean | undefined
  /** macOS: no child is made, this process becomes the program. */
  setexec?: boolean | undefined
}

/**
 * Runs the program `path` in a new process. Nothing of this process's memory is copied, and an error in the
 * child, exec's included, is thrown here, with no child left.
 *
 * @param path the program's file
 * @param argv its arguments, its own name first: not empty
 * @param options see {@link PosixSpawnOptions}
 * @returns the child's pid, to be waited for
 * @throws PosixError: `syscall` is the file action that can be known to have failed ('open', 'dup2', ...; `path`
 *   is then the action's), else 'posix_spawn': ENOENT, EACCES, ENOEXEC (a script without #!), EPERM, EAGAIN, ...
 *   ENOSYS: an action or attribute that this C library lacks, by its name
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE before a process exists
 * The descriptors 0-2 are inherited, the others as their FD_CLOEXEC says. Source: posix_spawn(3), POSIX.
 */
export function posix_spawn(path: Bytes, argv: readonly Bytes[], options?: PosixSpawnOptions): number {
  return spawn(toSpawnRequest(path, 'path', argv, options, false))
}

/**
 * {@link posix_spawn} with a search: a `file` without a slash is looked for in this process's PATH (if there is
 * none, in the system's default path). Source: posix_spawnp(3), POSIX.
 */
export function posix_spawnp(file: Bytes, argv: readonly Bytes[], options?: PosixSpawnOptions): number {
  return spawn(toSpawnRequest(file, 'file', argv, options, true))
}

/**
 * Runs a program in a new process, and waits for it or not.
 *
 * @param mode P_WAIT: wait for its end; P_NOWAIT: go on
 * @param path the program's file
 * @param argv its arguments, its own name first: not empty
 * @returns with P_NOWAIT the child's pid; with P_WAIT its exit code, or minus the number of the signal that ended it
 * @throws as {@link posix_spawn}. Source: Python's os.spawnv.
 */
export function spawnv(mode: number, path: Bytes, argv: readonly Bytes[]): number {
  return spawnAndWait(mode, posix_spawn, path, argv)
}

/** {@link spawnv} with an environment. Source: Python's os.spawnve. */
export function spawnve(mode: number, path: Bytes, argv: readonly Bytes[], env: Env): number {
  return spawnAndWait(mode, posix_spawn, path, argv, given(env))
}

/** {@link spawnv} with a search by PATH. Source: Python's os.spawnvp. */
export function spawnvp(mode: number, file: Bytes, argv: readonly Bytes[]): number {
  return spawnAndWait(mode, posix_spawnp, file, argv)
}

/** {@link spawnvp} with an environment. Source: Python's os.spawnvpe. */
export function spawnvpe(mode: number, file: Bytes, argv: readonly Bytes[], env: Env): number {
  return spawnAndWait(mode, posix_spawnp, file, argv, given(env))
}

/** {@link spawnv} with the arguments one by one. Source: Python's os.spawnl. */
export function spawnl(mode: number, path: Bytes, ...argv: Bytes[]): number {
  return spawnAndWait(mode, posix_spawn, path, argv)
}

/** {@link spawnl} with an environment as its last argument. Source: Python's os.spawnle. */
export function spawnle(mode: number, path: Bytes, ...argvAndEnv: [...argv: Bytes[], env: Env]): number {
  return spawnAndWait(mode, posix_spawn, path, ...splitEnv(argvAndEnv))
}

/** {@link spawnvp} with the arguments one by one. Source: Python's os.spawnlp. */
export function spawnlp(mode: number, file: Bytes, ...argv: Bytes[]): number {
  return spawnAndWait(mode, posix_spawnp, file, argv)
}

/** {@link spawnlp} with an environment as its last argument. Source: Python's os.spawnlpe. */
export function spawnlpe(mode: number, file: Bytes, ...argvAndEnv: [...argv: Bytes[], env: Env]): number {
  return spawnAndWait(mode, posix_spawnp, file, ...splitEnv(argvAndEnv))
}

function spawnAndWait(mode: number, call: typeof posix_spawn, file: Bytes, argv: readonly Bytes[], env?: Env): number {
  if (typeof mode !== 'number') throw invalidArgType('mode', 'of type number', mode)
  if (mode !== P_WAIT && mode !== P_NOWAIT) throw invalidArgValue('mode', mode, 'must be P_WAIT or P_NOWAIT')
  const pid = call(file, argv, { env })
  return mode === P_NOWAIT ? pid : waitstatusToExitcode(waitpid(pid).status)
}

function spawn(request: SpawnRequest): number {
  const { path, argv, env, search, options } = request
  return pidOf(request, binding.posix_spawn(path, argv, env, search, options))
}
