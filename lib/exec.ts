// execve(2) and its eight flavours: l lists the arguments, v has them in an array, p searches PATH, e takes an
// environment.
//
// Each replaces this process by a program and returns only by throwing; then the process is as it was. No 'exit'
// handler runs. What Node changed for itself is put back first: ignored signals (SIGPIPE) to their default, the
// signal mask, the terminal mode and O_NONBLOCK of the descriptors 0-2. These three are inherited, the others as
// their FD_CLOEXEC says: Node sets it on all that it opens, pipe() and dup() don't.
import { isMainThread } from 'node:worker_threads'
import { binding } from './binding'
import { PosixError, toText, workerUnsupported } from './errors'
import { type Bytes, type Env, toArgv, toBytes, toEnv, toInt32 } from './validate'

/**
 * Runs the program `path` in this process.
 *
 * @param path the program's file
 * @param argv its arguments, its own name first: not empty
 * @throws PosixError ENOENT, EACCES, ENOEXEC, ENOTDIR, ELOOP, ENAMETOOLONG, E2BIG, ETXTBSY, ..., with `path`
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE: not strings or Buffers, a null byte inside, no argument
 * @throws ERR_WORKER_UNSUPPORTED_OPERATION in a Worker: it would end the main thread in mid-step
 * The environment is this process's own. Platforms: all. Source: execv(3), POSIX.
 */
export function execv(path: Bytes, argv: readonly Bytes[]): never {
  return exec(path, argv, undefined, false)
}

/** {@link execv} with an environment. Source: execve(2), POSIX. */
export function execve(path: Bytes, argv: readonly Bytes[], env: Env): never {
  return exec(path, argv, given(env), false)
}

/**
 * {@link execv} with a search: a `file` without a slash is looked for in this process's PATH (if there is none,
 * in the system's default path), and a file without #! is run by sh. Source: execvp(3), POSIX.
 */
export function execvp(file: Bytes, argv: readonly Bytes[]): never {
  return exec(file, argv, undefined, true)
}

/** {@link execvp} with an environment; the search goes by the caller's PATH, not by that in `env`. Source: execvpe(3). */
export function execvpe(file: Bytes, argv: readonly Bytes[], env: Env): never {
  return exec(file, argv, given(env), true)
}

/** {@link execv} with the arguments one by one, the program's own name first. Source: execl(3), POSIX. */
export function execl(path: Bytes, ...argv: Bytes[]): never {
  return exec(path, argv, undefined, false)
}

/** {@link execl} with an environment as its last argument. Source: execle(3), POSIX. */
export function execle(path: Bytes, ...argvAndEnv: [...argv: Bytes[], env: Env]): never {
  return exec(path, ...splitEnv(argvAndEnv), false)
}

/** {@link execvp} with the arguments one by one, the program's own name first. Source: execlp(3), POSIX. */
export function execlp(file: Bytes, ...argv: Bytes[]): never {
  return exec(file, argv, undefined, true)
}

/** {@link execlp} with an environment as its last argument. Source: execlp(3) and execle(3). */
export function execlpe(file: Bytes, ...argvAndEnv: [...argv: Bytes[], env: Env]): never {
  return exec(file, ...splitEnv(argvAndEnv), true)
}

/**
 * {@link execve} of a program that is open already.
 *
 * @param fd a descriptor of the program's file (int32). A script needs it without FD_CLOEXEC, as its interpreter
 *   opens it again.
 * @param argv its arguments, its own name first: not empty
 * @param env its environment
 * @throws PosixError EBADF, EACCES, ENOENT (a script under FD_CLOEXEC), ...; ENOSYS on macOS
 * @throws what {@link execv} throws for bad arguments and in a Worker. Source: fexecve(3), POSIX.
 */
export function fexecve(fd: number, argv: readonly Bytes[], env: Env): never {
  const descriptor = toInt32(fd, 'fd')
  const [words, environment] = [toArgv(argv, 'argv'), toEnv(given(env), 'env')]
  refuseInWorker('fexecve')
  throw new PosixError(binding.fexecve(descriptor, words, environment), 'fexecve')
}

function exec(file: Bytes, argv: readonly Bytes[], env: Env | undefined, search: boolean): never {
  const path = toBytes(file, search ? 'file' : 'path')
  const [words, environment] = [toArgv(argv, 'argv'), toEnv(env, 'env')]
  refuseInWorker('exec')
  throw new PosixError(binding.exec(path, words, environment, search), 'execve', toText(path))
}

function refuseInWorker(call: string): void {
  if (!isMainThread) throw workerUnsupported(call)
}

/** The last of the arguments is the environment. */
export function splitEnv(argvAndEnv: readonly unknown[]): [argv: Bytes[], env: Env] {
  return [argvAndEnv.slice(0, -1) as Bytes[], given(argvAndEnv.at(-1) as Env)]
}

/** An environment that must be there: leaving it out by mistake would pass this process's own on. */
export function given(env: Env): Env {
  return env ?? (null as never)
}
