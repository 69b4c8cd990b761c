// What Lock and RLock have in common.
import { binding, type SharedBlock } from '../binding'
import { PosixError } from '../errors'
import { wordOffset } from './block-layout'
import { noteHeld, noteReleased } from './held-locks'
import { SharedObject } from './shared-object'
import { type Patience, toPatience, toTimeout, type Waitable, waitAsync, waitSync } from './waiting'
import { withAcquired } from './with-acquired'

const ownerDied = 1

export abstract class OwnedLock extends SharedObject {
  readonly #waitable: Waitable
  #ownerDied = false

  constructor(kind: string, block: SharedBlock) {
    super(kind, block)
    this.#waitable = {
      block,
      offset: wordOffset,
      looks: true,
      attempt: (patience) => binding.takeLock(block, patience),
      giveUp: () => binding.passLockOn(block),
    }
  }

  /**
   * Acquires the lock without blocking the event loop.
   *
   * @param patience milliseconds to wait at most, or `{ timeoutMs, signal }`; default: without end. 0: not at all
   * @returns true: this thread holds it; false: the time is over
   * @throws AbortError (ABORT_ERR) if the signal aborts; the lock isn't held then
   * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
   *
   * If the process or the thread that held it has died, {@link ownerDied} is true until it is released, and a warning
   * (OwnerDiedWarning, code EOWNERDEAD) says so.
   */
  async acquire(patience?: Patience): Promise<boolean> {
    return this.#taken(await waitAsync(this.#waitable, toPatience(patience, 'patience')))
  }

  /**
   * Acquires the lock, and blocks this thread until then.
   *
   * @param timeoutMs milliseconds to wait at most; default: without end. 0: not at all
   * @returns true: this thread holds it; false: the time is over
   * @throws PosixError EDEADLK where it is certain that this would never end: this thread holds the lock itself and no
   *   other process could release it, or its owner sleeps until this very process has ended. Only without a limit.
   * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
   */
  acquireSync(timeoutMs?: number): boolean {
    const { block } = this.#waitable
    return this.#taken(waitSync(this.#waitable, toTimeout(timeoutMs, 'timeoutMs'), () => binding.wouldHang(block)))
  }

  /**
   * Lets the lock go.
   *
   * @throws PosixError EPERM: nobody holds it; an RLock: this thread doesn't
   */
  release(): void {
    const failure = binding.releaseLock(this.#waitable.block)
    if (failure !== 0) throw new PosixError(failure, 'release')
    if (!this.isOwn()) this.#isReleased()
  }

  /**
   * Calls a function while this thread holds the lock.
   *
   * @param body may return a promise: the lock is held until that is settled
   * @param patience as acquire's
   * @returns what `body` returns
   * @throws what `body` throws, and what acquire does
   * @throws PosixError ETIMEDOUT: the time is over, and `body` wasn't called
   */
  using<Result>(body: () => Result | PromiseLike<Result>, patience?: Patience): Promise<Result> {
    return withAcquired(this, body, patience)
  }

  /** Whether any thread of any process holds it. */
  locked(): boolean {
    const [, held] = binding.tellLock(this.#waitable.block)
    return held === 1
  }

  /** Whether this thread of this process holds it. A child of fork holds none of its parent's. */
  isOwn(): boolean {
    const [own] = binding.tellLock(this.#waitable.block)
    return own === 1
  }

  /**
   * True while it is held here after its owner died: what it guards may be half changed. To be asked after acquire; as
   * pthread_mutex_lock(3) tells EOWNERDEAD.
   */
  get ownerDied(): boolean {
    return this.#ownerDied
  }

  /** For Condition: lets it go however often it was acquired. */
  releaseWholly(syscall: string): number {
    const depth = binding.releaseLockWholly(this.#waitable.block)
    if (depth < 0) throw new PosixError(depth, syscall)
    this.#isReleased()
    return depth
  }

  /** For Condition: has it again, as deep as before. */
  async acquireAgain(depth: number): Promise<void> {
    await this.acquire()
    binding.restoreDepth(this.#waitable.block, depth)
  }

  acquireAgainSync(depth: number): void {
    this.acquireSync()
    binding.restoreDepth(this.#waitable.block, depth)
  }

  #taken(found: number | undefined): boolean {
    if (found === undefined) return false
    noteHeld(this, this.kind)
    if (found === ownerDied) this.#tellOfDeath()
    return true
  }

  #tellOfDeath(): void {
    this.#ownerDied = true
    const [, , , , pid] = binding.tellLock(this.#waitable.block)
    process.emitWarning(`process ${pid} died with this ${this.kind}: what it guards may be half changed`, {
      type: 'OwnerDiedWarning',
      code: 'EOWNERDEAD',
    })
  }

  #isReleased(): void {
    this.#ownerDied = false
    noteReleased(this)
  }
}
