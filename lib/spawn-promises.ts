// posix_spawn(3), posix_spawnp(3) as promises: made on a thread of libuv's pool.
import { type Abortable, onAbort, throwIfAborted, toAbortSignal } from './abort'
import { binding, type RawSpawnResult } from './binding'
import { WNOHANG } from './constants'
import { abortError } from './errors'
import { kill } from './signals'
import type { PosixSpawnOptions } from './spawn'
import { pidOf, type SpawnRequest, toSpawnRequest } from './spawn-request'
import type { Bytes } from './validate'
import { waitpid } from './wait'
import { waitpid as ended } from './wait-promises'

/**
 * Runs a program in a new process. A file action or a file system that takes its time doesn't hold the event loop up;
 * it occupies one thread of libuv's pool, as a call of node:fs does.
 *
 * @param path the program's file
 * @param argv its arguments, its own name first: not empty
 * @param options as of the posix_spawn that blocks; the environment is that of the call's moment
 * @param control `signal` gives it up. A child that has been made is killed and reaped before the promise rejects
 * @returns the child's pid, to be waited for
 * @throws as a rejection: PosixError as the posix_spawn that blocks; AbortError (ABORT_ERR)
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE as a rejection, before anything happens
 * On macOS a child that hangs in a file action can't be killed before it is whole: the rejection waits for that.
 * Source: posix_spawn(3), POSIX.
 */
export async function posix_spawn(
  path: Bytes,
  argv: readonly Bytes[],
  options?: PosixSpawnOptions,
  control?: Abortable,
): Promise<number> {
  return spawn(toSpawnRequest(path, 'path', argv, options, false), toAbortSignal(control, 'control'))
}

/** {@link posix_spawn} with a search in this process's PATH. Source: posix_spawnp(3), POSIX. */
export async function posix_spawnp(
  file: Bytes,
  argv: readonly Bytes[],
  options?: PosixSpawnOptions,
  control?: Abortable,
): Promise<number> {
  return spawn(toSpawnRequest(file, 'file', argv, options, true), toAbortSignal(control, 'control'))
}

async function spawn(request: SpawnRequest, signal: AbortSignal | undefined): Promise<number> {
  throwIfAborted(signal)
  const result = await new Promise<RawSpawnResult>((resolve) => {
    const task = binding.beginSpawn(
      request.path,
      request.argv,
      request.env,
      request.search,
      request.options,
      (made) => {
        forgetSignal()
        resolve(made)
      },
    )
    const forgetSignal = onAbort(signal, () => binding.abortSpawn(task))
  })
  if (!signal?.aborted) return pidOf(request, result)
  if (result[0] > 0) await end(result[0])
  throw abortError(signal)
}

/** Ends a child that nobody knows of. */
async function end(pid: number): Promise<void> {
  try {
    // In the child of a fork it isn't ours to kill: this throws ECHILD.
    if (waitpid(pid, WNOHANG).pid !== 0) return
    kill(pid, 'SIGKILL')
    await ended(pid)
  } catch {}
}
