import t from 'tap'
import { Barrier, BrokenBarrierError, Event } from 'truefork/multiprocessing'
import { withoutAllThreads } from '../support/fork'
import { saidBy } from './support/sharing'

t.test('an event lets all go on that wait for it, even if it is cleared at once', async (t) => {
  const lines = await saidBy(`
    const [event, waiting] = [new Event(), new Semaphore(0)]
    const pids = []
    for (const isSync of [true, false, false]) {
      pids.push(await started(async () => {
        const wait = isSync ? undefined : event.wait()
        waiting.release()
        say(isSync ? event.waitSync() : await wait)
      }))
    }
    for (const pid of pids) await waiting.acquire()
    const codes = Promise.all(pids.slice(1).map(ended))
    event.set()
    event.clear()
    say(await codes)
    event.set() // the one that blocks may not have come to its wait
    say(await ended(pids[0]), event.isSet())
  `)
  t.same(lines.sort(), [[0, 0], [0, true], true, true, true])
})

t.test('an event that is not set is waited for no longer than wanted', async (t) => {
  const event = new Event()
  t.equal(await event.wait(5), false)
  t.equal(event.waitSync(5), false)
  await t.rejects(event.wait({ signal: AbortSignal.timeout(5) }), { code: 'ABORT_ERR' })
  event.set()
  event.set()
  t.ok(event.isSet() && event.waitSync(0) && (await event.wait(0)))
  event.clear()
  t.notOk(event.isSet())
})

t.test('a barrier lets each round pass together, and each party has its index', async (t) => {
  const lines = await saidBy(`
    const barrier = new Barrier(3)
    const [rounds, indexes] = [20, new SharedArray('i', 3)]
    const [arrived, early] = [new Value('i'), new Value('i')]
    const party = async (isSync) => {
      for (let round = 1; round <= rounds; round++) {
        Atomics.add(arrived.getObj(), 0, 1)
        const index = isSync ? barrier.waitSync() : await barrier.wait()
        if (arrived.value < 3 * round) early.value = 1
        Atomics.add(indexes, index, 1)
      }
    }
    const pids = [await started(() => party(true)), await started(() => party(false))]
    await party(false)
    for (const pid of pids) say(await ended(pid))
    say([...indexes], early.value, barrier.nWaiting, barrier.broken, barrier.parties)
  `)
  t.same(lines, [0, 0, [[20, 20, 20], 0, 0, false, 3]])
})

t.test('the action runs once a round, before anybody goes on', async (t) => {
  const lines = await saidBy(`
    const ran = new Value('i')
    const barrier = new Barrier(2, { action: async () => { await pause(5); ran.value++ } })
    const child = await started(async () => { await barrier.wait(); say(ran.value); await barrier.wait(); say(ran.value) })
    await barrier.wait()
    const first = ran.value
    await barrier.wait()
    say(first, ran.value, await ended(child))
    const failing = new Barrier(2, { action() { throw new Error('mine') } })
    const other = await started(async () => say(await failing.wait().catch(({ code, message }) => code ?? message)))
    say(await failing.wait().catch(({ code, message }) => code ?? message), failing.broken, await ended(other))
  `)
  t.same(lines.slice(0, 2), [1, 2])
  t.same(lines[2], [1, 2, 0])
  // Whoever came last met the action's error.
  t.same(lines.flat().slice(5).sort(), [0, 'ERR_BROKEN_BARRIER', 'mine', true].sort())
})

t.test('a barrier breaks when a party gives up, is aborted, or is killed', async (t) => {
  const lines = await saidBy(`
    const barrier = new Barrier(3)
    const code = (error) => error.code
    const broken = async (waitOrKill) => {
      const other = await started(async () => say(await barrier.wait().catch(code)))
      await until(() => barrier.nWaiting === 1)
      say(await waitOrKill(other), barrier.broken, await barrier.wait().catch(code), await ended(other))
      barrier.reset()
      say(barrier.broken, barrier.nWaiting)
    }
    await broken(() => barrier.wait(5).catch(code))
    await broken(() => barrier.wait({ signal: AbortSignal.timeout(5) }).catch(code))
    await broken(() => barrier.abort())
    await broken((other) => { const wait = barrier.wait().catch(code); process.kill(other, 'SIGKILL'); return wait })
    const other = await started(async () => say(await barrier.wait().catch(code)))
    await until(() => barrier.nWaiting === 1)
    barrier.reset()
    say(barrier.broken, await ended(other))
  `)
  const broken = 'ERR_BROKEN_BARRIER'
  t.same(lines, [
    ...[broken, [broken, true, broken, 0], [false, 0]],
    ...[broken, ['ABORT_ERR', true, broken, 0], [false, 0]],
    ...[broken, [null, true, broken, 0], [false, 0]],
    ...[
      [broken, true, broken, 'SIGKILL'],
      [false, 0],
    ],
    ...[broken, [false, 0]],
  ])
})

t.test("the copy of a party in a child isn't counted", { skip: withoutAllThreads }, async (t) => {
  const lines = await saidBy(`
    const barrier = new Barrier(2)
    const wait = barrier.wait()
    const child = await started(async () => say('child', await wait))
    await pause(20)
    say(barrier.nWaiting, await barrier.wait(), await wait)
    await ended(child)
  `)
  t.same(lines.sort(), [
    [1, 1, 0],
    ['child', 0],
  ])
})

t.test("a barrier's arguments are checked", async (t) => {
  for (const bad of [undefined, null, '1', {}]) {
    t.throws(() => new Barrier(bad as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 16 + 1, 2 ** 31]) {
    t.throws(() => new Barrier(bad), { code: 'ERR_OUT_OF_RANGE' })
  }
  t.throws(() => new Barrier(1, { action: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => new Barrier(1, { timeoutMs: '1' as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  t.equal(await new Barrier(1).wait(), 0)
  await t.rejects(new Barrier(2, { timeoutMs: 5 }).wait(), BrokenBarrierError)
  t.throws(() => new Barrier(2, { timeoutMs: 5 }).waitSync(), BrokenBarrierError)
})
