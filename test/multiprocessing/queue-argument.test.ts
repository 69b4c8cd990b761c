// Queues as arguments of children that are no copies of their parent.
import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { importing, saidUnder } from './support/imported'

t.setTimeout(180_000)

const functions = `
const { fdTable } = require('truefork')
const { getContext, JoinableQueue, Queue, SimpleQueue } = require('truefork/multiprocessing')
const pipes = () => fdTable().map(({ target }) => target).filter((target) => target.startsWith('pipe:'))
const forked = async (target) => {
  const child = new (getContext('fork').Process)({ target })
  child.start()
  await child.join()
  return child.exitCode
}
exports.pipes = pipes
exports.produce = async (work, first, count) => { for (let item = first; item < first + count; item++) await work.put(item) }
exports.consume = async (work, done) => {
  for (let item = await work.get(); item !== null; item = await work.get()) await done.put(item)
}
exports.describe = async ({ list, again, queue, simple }, done) => {
  const [joinable] = list
  await done.put([joinable === again.get('it'), joinable instanceof JoinableQueue, joinable.maxsize, joinable.qsize()])
  await done.put([queue instanceof Queue, queue instanceof JoinableQueue, queue.maxsize, simple instanceof SimpleQueue])
  for (let count = 0; count < 2; count++) {
    await simple.put(await joinable.get())
    joinable.taskDone()
  }
}
exports.close = async (queue, done) => {
  await done.put(fdTable().filter(({ fd, cloexec }) => fd > 2 && !cloexec).length)
  const before = fdTable()
  queue.close()
  const after = fdTable()
  await done.put([before.length - after.length, await queue.put(1).catch(({ code }) => code)])
}
exports.takeAndStay = async (work, done) => {
  await done.put(await work.get())
  await new Promise((resolve) => setTimeout(resolve, 60_000))
}
exports.forkOn = async (work, done) => {
  const code = await forked(async () => {
    await done.put(pipes())
    await exports.consume(work, done)
  })
  await done.put(code)
}
exports.talkToFork = async ([one, other], done) => {
  const received = one.recv()
  const code = await forked(async () => other.send('from the fork'))
  await done.put([await received, code])
}
`

const started = `
const started = (target, ...args) => {
  const child = new mp.Process({ target, args })
  child.start()
  return child
}
const ended = async (child) => { await child.join(); return child.exitCode }
`

for (const method of importing) {
  const said = (test: Test, source: string) => saidUnder(test, method, functions, started + source)

  t.test(`${method}: each item comes to one of several consumers, once, and nothing is left open`, async (t) => {
    const lines = await said(
      t,
      `
      const round = async () => {
        const work = new mp.Queue(5), done = new mp.Queue()
        const producers = [0, 1].map((index) => started(functions.produce, work, index * 300, 300))
        const consumers = [0, 1].map(() => started(functions.consume, work, done))
        for (const child of producers) await child.join()
        for (const _ of consumers) await work.put(null)
        const codes = []
        for (const child of [...producers, ...consumers]) codes.push(await ended(child))
        const items = []
        while (!done.empty()) items.push(done.getNowait())
        work.close()
        done.close()
        say(codes, items.sort((a, b) => a - b).every((item, index) => item === index), items.length)
      }
      await round() // what Node and the start method open once for themselves
      const before = table()
      await round()
      await tableAs(before)`,
    )
    t.same(lines, [
      [[0, 0, 0, 0], true, 600],
      [[0, 0, 0, 0], true, 600],
    ])
  })

  t.test(`${method}: each kind of queue arrives as what it is, once however often it is named`, async (t) => {
    const lines = await said(
      t,
      `
      const joinable = new mp.JoinableQueue(2), queue = new mp.Queue(), simple = new mp.SimpleQueue(), done = new mp.Queue()
      await joinable.put('a')
      await joinable.put('b')
      const child = started(functions.describe, { list: [joinable], again: new Map([['it', joinable]]), queue, simple }, done)
      say(await done.get())
      say(await done.get())
      await joinable.join()
      say(await simple.get(), await simple.get(), await ended(child))`,
    )
    t.same(lines, [
      [true, true, 2, 2],
      [true, false, 0, true],
      ['a', 'b', 0],
    ])
  })

  t.test(`${method}: close is for the process that calls it, and closes all that it was given`, async (t) => {
    const lines = await said(
      t,
      `
      const queue = new mp.JoinableQueue(1), done = new mp.Queue()
      await queue.put('kept')
      const child = started(functions.close, queue, done)
      say(await done.get(), await done.get(), await ended(child), await queue.get())
      const last = new mp.Queue()
      await last.put('item')
      await last.put(null)
      const reader = started(functions.consume, last, done)
      last.close() // the child has its own already
      say(await done.get(), await ended(reader))
      const refused = thrownBy(() => started(functions.consume, last, done))
      say(refused.code, mp.activeChildren().length)
      say((await errorOf(done.put(queue))).code, (await errorOf(mp.Pipe()[0].send({ queue }))).code)`,
    )
    t.same(lines, [
      [0, [7, 'ERR_INVALID_STATE'], 0, 'kept'],
      ['item', 0],
      ['ERR_INVALID_STATE', 0],
      ['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_VALUE'],
    ])
  })

  t.test(`${method}: a consumer that is killed takes no more with it than it had got`, async (t) => {
    const lines = await said(
      t,
      `
      const work = new mp.Queue(3), done = new mp.Queue()
      for (const item of [1, 2, 3]) await work.put(item)
      const child = started(functions.takeAndStay, work, done)
      const taken = await done.get()
      child.kill()
      say(taken, await ended(child), await work.get(), await work.get(), work.empty())`,
    )
    t.same(lines, [[1, -9, 2, 3, true]])
  })

  t.test(`${method}: a fork of the child shares the queue with all`, { skip: withoutAllThreads }, async (t) => {
    const lines = await said(
      t,
      `
      const others = new Set(functions.pipes())
      const work = new mp.Queue(1), done = new mp.Queue()
      const pipes = functions.pipes().filter((target) => !others.has(target))
      const child = started(functions.forkOn, work, done)
      const inFork = await done.get()
      say(new Set(pipes).size, pipes.every((target) => inFork.includes(target)))
      const answers = []
      for (const item of range(50)) {
        await work.put(item)
        answers.push(await done.get())
      }
      await work.put(null)
      say(answers.every((answer, index) => answer === index), await done.get(), await ended(child))`,
    )
    t.same(lines, [
      [3, true],
      [true, 0, 0],
    ])
  })

  t.test(
    `${method}: both ends of a Pipe may go to one child, and its fork has them`,
    { skip: withoutAllThreads },
    async (t) => {
      const lines = await said(
        t,
        `
      const ends = mp.Pipe(), done = new mp.Queue()
      const child = started(functions.talkToFork, ends, done)
      for (const end of ends) end.close()
      say(await done.get(), await ended(child))`,
      )
      t.same(lines, [[['from the fork', 0], 0]])
    },
  )
}

t.test("a ForkServer's worker takes a queue as well", async (t) => {
  const lines = await saidUnder(
    t,
    'forkserver',
    functions,
    `
    const work = new mp.Queue(), done = new mp.Queue()
    const server = await mp.ForkServer.start()
    const worker = await server.fork({ module: require.resolve('./functions.cjs'), export: 'consume', args: [work, done] })
    await work.put('item')
    say(await done.get())
    await work.put(null)
    await worker.exited
    await server.close()`,
  )
  t.same(lines, ['item'])
})
