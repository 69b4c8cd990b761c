// pthread_atfork(3) for JavaScript, with the rules of Python's os.register_at_fork.
import { isMainThread } from 'node:worker_threads'
import { invalidArgType, workerUnsupported } from './errors'
import { toOptions } from './validate'

export interface AtForkHooks {
  /** Runs before the fork, the last registered first. What it throws cancels the fork. */
  before?: (() => void) | undefined
  /** Runs in the parent, the first registered first, with the child's pid; -1: no child was made after all. */
  afterInParent?: ((pid: number) => void) | undefined
  /** Runs in the child, the first registered first, before fork() returns there. */
  afterInChild?: (() => void) | undefined
}

let registered: readonly AtForkHooks[] = []

/**
 * Has functions called around each fork of this process from now on, forkpty's included; not around posix_spawn.
 *
 * @param hooks see {@link AtForkHooks}; at least one of them
 * @returns takes them away again; called during a fork, for the forks after that
 * @throws ERR_INVALID_ARG_TYPE: no object of functions, or of none; nothing is registered then
 * @throws ERR_WORKER_UNSUPPORTED_OPERATION in a Worker, where nothing forks
 *
 * All run in the forking thread, synchronously. If a `before` throws, or the fork is refused or fails, the
 * `afterInParent` of those whose `before` has run are called with -1, and fork() throws. What an after hook throws is
 * told by process.emitWarning, as there is a child by then. Source: pthread_atfork(3), POSIX.
 */
export function registerAtFork(hooks: AtForkHooks): () => void {
  const { before, afterInParent, afterInChild } = toHooks(hooks)
  if (!isMainThread) throw workerUnsupported('registerAtFork')
  const own: AtForkHooks = { before, afterInParent, afterInChild }
  registered = [...registered, own]
  return () => {
    registered = registered.filter((each) => each !== own)
  }
}

/** The hooks of one fork: those that are registered as it begins, whatever they register themselves. */
export class AtFork {
  /** Those whose `before` has run, the first registered first. */
  #ready: readonly AtForkHooks[] = []

  before(): void {
    const lastFirst = [...registered].reverse()
    let begun = 0
    try {
      for (const { before } of lastFirst) {
        before?.()
        begun++
      }
    } finally {
      this.#ready = lastFirst.slice(0, begun).reverse()
      if (begun < lastFirst.length) this.after(-1)
    }
  }

  /** @param pid what fork returned in this process; -1: there will be no child */
  after(pid: number): void {
    for (const { afterInParent, afterInChild } of this.#ready) {
      callAfter(() => (pid === 0 ? afterInChild?.() : afterInParent?.(pid)))
    }
  }
}

function callAfter(hook: () => void): void {
  try {
    hook()
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.emitWarning(`a hook of registerAtFork threw ${message}`, 'AtForkWarning')
  }
}

function toHooks(hooks: unknown): Record<string, () => void> {
  const given = toOptions(hooks ?? null, 'hooks')
  const names = ['before', 'afterInParent', 'afterInChild']
  for (const name of names) {
    const hook = given[name]
    if (hook !== undefined && typeof hook !== 'function') {
      throw invalidArgType(`hooks.${name}`, 'of type function', hook)
    }
  }
  if (names.every((name) => given[name] === undefined)) {
    throw invalidArgType('hooks', `an object with one of ${names.join(', ')}`, hooks)
  }
  return given as Record<string, () => void>
}
