import t from 'tap'
import { BoundedSemaphore, Semaphore } from 'truefork/multiprocessing'
import { saidBy } from './support/sharing'

t.test('no more processes than there are permits are inside at once', async (t) => {
  const lines = await saidBy(`
    const semaphore = new Semaphore(2)
    const [inside, most, turns] = [new Value('i'), new Value('i'), new Value('i')]
    const worker = async (isSync) => {
      for (let i = 0; i < 60; i++) {
        if (isSync) semaphore.acquireSync()
        else await semaphore.acquire()
        const now = Atomics.add(inside.getObj(), 0, 1) + 1
        if (now > most.value) most.value = now
        for (let work = 0; work < 2000; work++);
        Atomics.add(turns.getObj(), 0, 1)
        Atomics.sub(inside.getObj(), 0, 1)
        semaphore.release()
      }
    }
    const pids = []
    for (const isSync of [true, false, true, false]) pids.push(await started(() => worker(isSync)))
    for (const pid of pids) say(await ended(pid))
    say(most.value <= 2, turns.value, semaphore.getValue())
  `)
  t.same(lines, [0, 0, 0, 0, [true, 240, 2]])
})

t.test('a release of several lets several in', async (t) => {
  const lines = await saidBy(`
    const [semaphore, ready] = [new Semaphore(0), new Semaphore(0)]
    const pids = []
    for (const isSync of [true, false, false]) {
      pids.push(await started(async () => {
        ready.release()
        say(isSync ? semaphore.acquireSync() : await semaphore.acquire())
      }))
    }
    for (const pid of pids) await ready.acquire()
    semaphore.release(3)
    for (const pid of pids) await ended(pid)
    say(semaphore.getValue())
  `)
  t.same(lines, [true, true, true, 0])
})

t.test('a semaphore without a permit is waited for no longer than wanted', async (t) => {
  const semaphore = new Semaphore()
  t.ok(await semaphore.acquire())
  t.notOk(await semaphore.acquire(0))
  t.notOk(await semaphore.acquire(5))
  t.notOk(semaphore.acquireSync(5))
  await t.rejects(semaphore.acquire({ signal: AbortSignal.timeout(5) }), { code: 'ABORT_ERR' })
  await t.rejects(
    semaphore.using(() => 1, 5),
    { code: 'ETIMEDOUT' },
  )
  semaphore.release()
  t.equal(await semaphore.using(() => semaphore.getValue()), 0)
  t.equal(semaphore.getValue(), 1)
})

t.test('a bounded one refuses more than it had, and either more than it can count', async (t) => {
  const bounded = new BoundedSemaphore(2)
  t.throws(() => bounded.release(), { code: 'EOVERFLOW', syscall: 'release' })
  t.ok(bounded.acquireSync())
  t.throws(() => bounded.release(2), { code: 'EOVERFLOW' })
  bounded.release()
  t.equal(bounded.getValue(), 2)
  const most = new Semaphore(2 ** 30 - 1)
  t.throws(() => most.release(), { code: 'EOVERFLOW' })
  for (const Kind of [Semaphore, BoundedSemaphore]) {
    for (const bad of [-1, 1.5, 2 ** 30, Number.NaN]) t.throws(() => new Kind(bad), { code: 'ERR_OUT_OF_RANGE' })
    for (const bad of [null, '1', {}]) t.throws(() => new Kind(bad as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.throws(() => new BoundedSemaphore(0), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => bounded.release(0), { code: 'ERR_OUT_OF_RANGE' })
})
