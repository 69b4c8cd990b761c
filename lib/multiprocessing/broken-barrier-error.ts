/** threading.BrokenBarrierError: the barrier that was waited at is broken, or was reset. */
export class BrokenBarrierError extends Error {
  override readonly name = 'BrokenBarrierError'
  readonly code = 'ERR_BROKEN_BARRIER'

  constructor() {
    super(
      'the barrier is broken, or was reset: one that waited there gave up or died, or abort() or reset() was called',
    )
  }
}
