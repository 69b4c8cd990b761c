import t from 'tap'
import { Condition, Lock, RLock } from 'truefork/multiprocessing'
import { withoutAllThreads } from '../support/fork'
import { saidBy } from './support/sharing'

t.test('notify lets just so many go on as it says, the longest waiting first', async (t) => {
  const lines = await saidBy(`
    const condition = new Condition()
    const [waiting, told] = [new Value('i'), new SharedArray('i', 4)]
    const pids = []
    for (let index = 0; index < 4; index++) {
      pids.push(await started(async () => {
        await condition.acquire()
        waiting.value++
        const wasTold = index % 2 ? await condition.wait() : condition.waitSync()
        told[index] = wasTold ? 1 : 2
        condition.release()
      }))
      // Whoever holds the lock knows that all who have counted themselves wait.
      await until(() => waiting.value > index)
    }
    const tell = (count) => condition.using(() => condition.notify(count))
    const sum = () => told[0] + told[1] + told[2] + told[3]
    await tell(1)
    await until(() => sum() === 1)
    say([...told])
    await tell(2)
    await until(() => sum() === 3)
    say([...told])
    await condition.using(() => condition.notifyAll())
    for (const pid of pids) say(await ended(pid))
    say([...told])
    await tell(5) // nobody
  `)
  t.same(lines, [[1, 0, 0, 0], [1, 1, 1, 0], 0, 0, 0, 0, [1, 1, 1, 1]])
})

t.test('a waiter that was killed is passed over', async (t) => {
  const lines = await saidBy(`
    const condition = new Condition(new Lock())
    const waiting = new Value('i')
    const wait = async () => { await condition.acquire(); waiting.value++; say(await condition.wait()); condition.release() }
    const first = await started(wait)
    await until(() => waiting.value === 1)
    const second = await started(wait)
    await until(() => waiting.value === 2)
    await condition.acquire()
    process.kill(first, 'SIGKILL')
    say(await ended(first))
    condition.notify()
    condition.release()
    say(await ended(second))
  `)
  t.same(lines, ['SIGKILL', true, 0])
})

t.test('a wait ends with the lock held again, at whatever depth, told or not', async (t) => {
  const condition = new Condition()
  await condition.acquire()
  condition.acquireSync()
  t.equal(await condition.wait(5), false)
  t.equal(condition.waitSync(5), false)
  await t.rejects(condition.wait({ signal: AbortSignal.timeout(5) }), { code: 'ABORT_ERR' })
  await t.rejects(condition.wait({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' })
  condition.release()
  condition.release()
  t.throws(() => condition.release(), { code: 'EPERM' })
})

t.test('waitFor looks under the lock until it holds', async (t) => {
  const lines = await saidBy(`
    const condition = new Condition()
    const stage = new Value('i')
    const child = await started(async () => {
      await condition.acquire()
      say(await condition.waitFor(() => stage.value > 1 && 'stage ' + stage.value))
      stage.value = 10
      condition.notifyAll()
      say(condition.waitForSync(() => stage.value === 11), condition.waitForSync(() => false, 5))
      condition.release()
    })
    for (const next of [1, 2]) await condition.using(() => { stage.value = next; condition.notify() })
    await condition.using(async () => {
      say(await condition.waitFor(() => stage.value === 10, 100_000), await condition.waitFor(() => 0, 5))
      stage.value = 11
      condition.notify()
    })
    say(await ended(child))
  `)
  t.same(lines.slice(0, 1), ['stage 2'])
  t.same(lines.slice(1), [[true, 0], [true, false], 0])
})

t.test('a wait that is pending at a fork is two', { skip: withoutAllThreads }, async (t) => {
  const lines = await saidBy(`
    const condition = new Condition()
    const child = new Event()
    await condition.acquire()
    const wait = condition.wait().then((told) => condition.release() ?? told)
    const pid = await started(async () => {
      await condition.using(() => {}) // its copy of the wait has come to the condition
      child.set()
      say('child', await wait)
    })
    await child.wait()
    await pause(20)
    await condition.using(() => condition.notifyAll())
    say('parent', await wait)
    await ended(pid)
  `)
  t.same(lines.sort(), [
    ['child', true],
    ['parent', true],
  ])
})

t.test('without the lock nothing is waited for or told', async (t) => {
  for (const lock of [undefined, new Lock(), new RLock()]) {
    const condition = new Condition(lock)
    await t.rejects(condition.wait(), { code: 'EPERM', syscall: 'wait' })
    t.throws(() => condition.waitSync(), { code: 'EPERM', syscall: 'wait' })
    t.throws(() => condition.notify(), { code: 'EPERM', syscall: 'notify' })
    t.throws(() => condition.notifyAll(), { code: 'EPERM', syscall: 'notify' })
  }
  for (const bad of [null, {}, 1, 'lock']) {
    t.throws(() => new Condition(bad as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  const condition = new Condition()
  t.throws(() => condition.notify(0), { code: 'ERR_OUT_OF_RANGE' })
  t.throws(() => condition.notify('1' as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.rejects(condition.waitFor(1 as never), { code: 'ERR_INVALID_ARG_TYPE' })
})
