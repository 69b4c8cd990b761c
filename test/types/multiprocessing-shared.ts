// Compiled, never run: what must compile does, and what must not is marked so.
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
  SharedArray,
  Value,
} from 'truefork/multiprocessing'

const lock = new Lock()
lock.acquire() satisfies Promise<boolean>
lock.acquire(100)
lock.acquire({ timeoutMs: 100, signal: AbortSignal.timeout(1) })
lock.acquireSync(1) satisfies boolean
lock.using(async () => 'text') satisfies Promise<string>
lock.using(() => 1, 100) satisfies Promise<number>
lock.ownerDied satisfies boolean

new BoundedSemaphore(2).release(2)
new Semaphore().getValue() satisfies number
new Condition(lock).waitFor(() => 'found' as string | undefined) satisfies Promise<string | undefined>
new Condition(new RLock()).wait({ timeoutMs: 1 })
new Event().wait() satisfies Promise<boolean>
new Barrier(2, { action: () => {}, timeoutMs: 1 }).wait() satisfies Promise<number>

new Value('i', 1).value satisfies number
new Value('q', 1).value satisfies bigint
new Value('int64', 1n).value = 2n
new Value(Float64Array).getObj() satisfies Float64Array
new SharedArray('d', 10) satisfies Float64Array
new SharedArray('l', [1n, 2]).at(0) satisfies bigint | undefined
new SharedArray(Uint8Array, 3).getLock() satisfies Lock | RLock
new SharedArray('i', 3, { lock: false })

// @ts-expect-error milliseconds are a number
lock.acquire('1')
// @ts-expect-error it can't be given up
lock.acquireSync({ signal: AbortSignal.timeout(1) })
// @ts-expect-error told by its owner's death alone
lock.ownerDied = true
// @ts-expect-error no such kind
new Value('x')
// @ts-expect-error a number
new Value('i', 1n).value = 1n
// @ts-expect-error a bigint
new Value('q').value = 1
// @ts-expect-error its size, too
new SharedArray('i')
// @ts-expect-error a lock is no semaphore
new Condition(new Semaphore())
// @ts-expect-error how many
new Barrier()
