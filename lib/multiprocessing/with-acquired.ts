// What Lock, RLock and Semaphore have in common: a function that runs while it is held.
import { constants } from 'node:os'
import { PosixError } from '../errors'
import { toFunction } from '../validate'
import type { Patience } from './waiting'

interface Acquirable {
  acquire(patience?: Patience): Promise<boolean>
  release(): void
}

/** Throws PosixError ETIMEDOUT if the time was over before the function could be called. */
export async function withAcquired<Result>(
  held: Acquirable,
  body: () => Result | PromiseLike<Result>,
  patience: Patience,
): Promise<Result> {
  toFunction(body, 'body')
  if (!(await held.acquire(patience))) throw new PosixError(-constants.errno.ETIMEDOUT, 'acquire')
  try {
    return await body()
  } finally {
    held.release()
  }
}
