// Items from several producers to several consumers.
import t, { type Test } from 'tap'
import { fdTable } from 'truefork'
import { JoinableQueue, Queue, QueueEmptyError, QueueFullError, SimpleQueue } from 'truefork/multiprocessing'
import { linesOf, withoutAllThreads } from '../support/fork'
import { runProgram } from '../support/program'

function queue(t: Test, maxsize?: number): Queue {
  const made = new Queue(maxsize)
  t.teardown(() => made.close())
  return made
}

t.test('items come out in the order in which they went in', async (t) => {
  const items = queue(t)
  const values = [undefined, null, 'a', { b: [1] }, new Map([[1, 2]]), Buffer.from('c')]
  for (const value of values) await items.put(value)
  t.equal(items.qsize(), values.length)
  for (const value of values) t.same(await items.get(), value)
  t.ok(items.empty())
})

t.test('without a limit put never waits', async (t) => {
  const items = queue(t)
  const filling = 'x'.repeat(1000)
  for (let index = 0; index < 5000; index++) await items.put([index, filling])
  t.equal(items.qsize(), 5000)
  t.equal(items.full(), false)
  let inOrder = 0
  while (inOrder < 5000 && ((await items.get()) as unknown[])[0] === inOrder) inOrder++
  t.equal(inOrder, 5000)
})

t.test(
  'items that are taken give their space back',
  { skip: process.platform !== 'linux' && 'no /proc' },
  async (t) => {
    const items = queue(t)
    const blocks = () => {
      const { statSync } = require('node:fs') as typeof import('node:fs')
      const file = fdTable().find(({ target }) => target.includes('memfd:truefork'))
      return statSync(`/proc/self/fd/${file?.fd}`).size
    }
    const filling = Buffer.alloc(100_000)
    for (let index = 0; index < 10; index++) await items.put(filling)
    for (let index = 0; index < 500; index++) {
      await items.put(filling)
      await items.get()
    }
    t.ok(blocks() < 5_000_000, `${blocks()}`)
    while (!items.empty()) items.getNowait()
    t.ok(blocks() < 1_100_000, `${blocks()}`)
  },
)

t.test('an item may be large', async (t) => {
  const items = queue(t, 1)
  const large = Buffer.alloc(20_000_000, 'abc')
  await items.put(large)
  t.ok(((await items.get()) as Buffer).equals(large))
})

t.test('put waits for room, and get for items', async (t) => {
  const items = queue(t, 2)
  t.equal(items.maxsize, 2)
  await items.put(1)
  await items.put(2)
  t.ok(items.full())
  const third = items.put(3)
  t.throws(() => items.putNowait(4), QueueFullError)
  t.equal(await items.get(), 1)
  await third
  t.same([await items.get(), await items.get()], [2, 3])
  t.throws(() => items.getNowait(), QueueEmptyError)
  const later = [items.get(), items.get()]
  items.putNowait(4)
  await items.put(5)
  t.same(await Promise.all(later), [4, 5])
})

t.test('a wait ends in time, by an error of its own', async (t) => {
  const items = queue(t, 1)
  await t.rejects(items.get({ timeoutMs: 5 }), { name: 'QueueEmptyError', code: 'ERR_QUEUE_EMPTY' })
  await t.rejects(items.get({ timeoutMs: 0 }), QueueEmptyError)
  await items.put(1)
  await t.rejects(items.put(2, { timeoutMs: 5 }), { name: 'QueueFullError', code: 'ERR_QUEUE_FULL' })
  await t.rejects(items.put(2, { timeoutMs: 0 }), QueueFullError)
  t.equal(await items.get({ timeoutMs: 0 }), 1)
  t.ok(items.empty())
})

t.test('an aborted wait has changed nothing', async (t) => {
  const items = queue(t, 1)
  const controller = new AbortController()
  const { signal } = controller
  const getting = items.get({ signal })
  const next = items.get()
  controller.abort()
  await t.rejects(getting, { name: 'AbortError', code: 'ABORT_ERR' })
  await items.put('kept')
  t.equal(await next, 'kept')
  await t.rejects(items.put(1, { signal }), { code: 'ABORT_ERR' })
  t.ok(items.empty())
})

t.test('join waits until every item is done', async (t) => {
  const items = new JoinableQueue()
  await items.join()
  await items.put(1)
  await items.put(2)
  let isDone = false
  const joined = items.join().then(() => {
    isDone = true
  })
  for (let count = 0; count < 2; count++) {
    t.equal(isDone, false)
    await items.get()
    items.taskDone()
  }
  await joined
  t.throws(() => items.taskDone(), { code: 'ERR_INVALID_STATE' })
  await items.put(3)
  await t.rejects(items.join({ signal: AbortSignal.timeout(5) }), { code: 'ABORT_ERR' })
  items.close()
})

t.test('a SimpleQueue puts, gets and tells whether it is empty', async (t) => {
  const items = new SimpleQueue()
  t.ok(items.empty())
  await items.put('item')
  t.equal(items.empty(), false)
  t.equal(await items.get(), 'item')
  items.close()
})

t.test('wrong arguments are refused before anything happens', async (t) => {
  const before = fdTable().length
  for (const wrong of ['1', null, {}]) t.throws(() => new Queue(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const wrong of [1.5, 2 ** 31]) t.throws(() => new Queue(wrong), { code: 'ERR_OUT_OF_RANGE' })
  t.equal(fdTable().length, before)
  const items = queue(t, -1)
  t.equal(items.maxsize, 0)
  await t.rejects(
    items.put(() => {}),
    { code: 'ERR_INVALID_ARG_VALUE' },
  )
  t.throws(() => items.putNowait(Symbol('a')), { code: 'ERR_INVALID_ARG_VALUE' })
  for (const timeoutMs of ['1', null, {}]) {
    await t.rejects(items.get({ timeoutMs: timeoutMs as never }), { code: 'ERR_INVALID_ARG_TYPE' })
    await t.rejects(items.put(1, { timeoutMs: timeoutMs as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const timeoutMs of [-1, Number.NaN]) await t.rejects(items.get({ timeoutMs }), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(items.get(null as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.ok(items.empty())
})

t.test('a closed queue says so, and its descriptors are gone', async (t) => {
  const before = fdTable().length
  for (const items of [new Queue(), new Queue(3), new JoinableQueue(1)]) {
    const waiting = items.get()
    items.close()
    items.close()
    await t.rejects(waiting, { code: 'ERR_INVALID_STATE' })
    for (const refused of [items.get(), items.put(1)]) await t.rejects(refused, { code: 'ERR_INVALID_STATE' })
    for (const refused of [() => items.qsize(), () => items.getNowait(), () => items.putNowait(1)]) {
      t.throws(refused, { code: 'ERR_INVALID_STATE' })
    }
  }
  t.equal(fdTable().length, before)
})

t.test('a program ends though it has a queue, but not while somebody waits by it', async (t) => {
  const program = (wait: string) => `
    const { Queue } = require('truefork/multiprocessing')
    const items = new Queue()
    process.on('exit', () => console.log('exit'))
    ${wait}`
  t.equal((await runProgram(program(''))).stdout, 'exit\n')
  const kept = `setTimeout(() => items.put('put'), 20).unref(); setTimeout(() => {}, 40); items.get().then(console.log)`
  t.equal((await runProgram(program(kept))).stdout, 'put\nexit\n')
})

t.test('thousands of items pass between processes, one of which is killed', { skip: withoutAllThreads }, async (t) => {
  const [found, endings] = (await linesOf(
    `
    const { Queue } = require('truefork/multiprocessing')
    const producers = 3, consumers = 3, each = 2000
    const work = new Queue(20), done = new Queue()
    async function produce(index) {
      for (let item = 0; item < each; item++) await work.put(index * each + item)
    }
    async function consume() {
      for (let item = await work.get(); item !== null; item = await work.get()) await done.put(item)
    }
    async function collect(pids) {
      const seen = []
      let toKill = [pids[0], pids[producers]]
      // What the killed producer had not put in never comes.
      for (;;) {
        const item = await done.get({ timeoutMs: 50 }).catch(({ code }) => code)
        if (item !== 'ERR_QUEUE_EMPTY') seen.push(item)
        if (seen.length === 500) for (const pid of toKill.splice(0)) process.kill(pid, 'SIGKILL')
        if (item === 'ERR_QUEUE_EMPTY' && seen.length > 500 && work.empty() && pids.slice(1, producers).every(isOver)) break
      }
      for (let index = 0; index < consumers; index++) await work.put(null)
      const endings = pids.map((pid) => ended.get(pid) ?? ending(pid))
      for (;;) {
        const item = await done.get({ timeoutMs: 0 }).catch(({ code }) => code)
        if (item === 'ERR_QUEUE_EMPTY') break
        seen.push(item)
      }
      const distinct = new Set(seen)
      const lost = [1, 2].map((index) => {
        let count = 0
        for (let item = 0; item < each; item++) if (!distinct.has(index * each + item)) count++
        return count
      })
      console.log(JSON.stringify({ doubled: seen.length - distinct.size, lost: lost[0] + lost[1] }))
      console.log(JSON.stringify(endings))
    }
    const ended = new Map()
    function isOver(pid) {
      if (ended.has(pid)) return true
      const found = waitpid(pid, 1)
      if (found.pid === pid) ended.set(pid, describeStatus(found.status).code)
      return found.pid === pid
    }
    const pids = []
    while (pids.length < producers + consumers && !pids.includes(0)) pids.push(fork())
    const index = pids.indexOf(0)
    if (index < 0) collect(pids)
    else (index < producers ? produce(index) : consume()).then(() => _exit(0))`,
    { timeoutMs: 60_000 },
  )) as [{ doubled: number; lost: number }, unknown[]]
  t.equal(found.doubled, 0)
  t.ok(found.lost <= 1, `${found.lost} lost: at most the one that the killed consumer had got`)
  t.same(endings, ['SIGKILL', 0, 0, 'SIGKILL', 0, 0])
})
