// How shared objects come to where they are used, and what must not happen to them.
import { serialize } from 'node:v8'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore, Value } from 'truefork/multiprocessing'
import { runProgram } from '../support/program'
import { saidBy } from './support/sharing'

const each = (): object[] => [
  new Lock(),
  new RLock(),
  new Semaphore(),
  new BoundedSemaphore(),
  new Condition(),
  new Event(),
  new Barrier(1),
  new Value('i'),
]

t.test('what would make a copy is told that there are none', async (t) => {
  for (const object of each()) {
    const expected = { name: 'DataCloneError', message: new RegExp(`^${object.constructor.name} objects should only`) }
    t.throws(() => structuredClone({ object }), expected)
    t.throws(() => serialize([object]), expected)
    t.throws(() => JSON.stringify(object), expected)
    t.throws(() => new MessageChannel().port1.postMessage(object), expected)
  }
})

// As Process does it for spawn: what it sends, and descriptors from 3 on.
const handOver = `
  const { pack } = require('./dist/multiprocessing/transfer.js')
  const { spawn } = require('node:child_process')
  const inOther = (value, source) => new Promise((resolve, reject) => {
    const { data, fds } = pack(value, 'args', 'spawn')
    const program = \`
      require('truefork/multiprocessing')
      const { unpack } = require('./dist/multiprocessing/transfer.js')
      const said = []
      const arrived = unpack(Buffer.from('\${data.toString('base64')}', 'base64'), [\${fds.map((_, i) => i + 3)}])
      ;(async () => { \${source} })()\`
    spawn(process.execPath, ['-e', program], { stdio: ['inherit', 'inherit', 'inherit', ...fds] }).on('exit', resolve)
  })
`

t.test('a process that is no copy gets the same objects, not copies', async (t) => {
  const lines = await saidBy(`${handOver}
    const lock = new Lock()
    const condition = new Condition(lock)
    const things = {
      lock, condition, recursive: new RLock(), semaphore: new Semaphore(0), bounded: new BoundedSemaphore(1),
      event: new Event(), barrier: new Barrier(2), value: new Value('q', 5), plain: new Value('d', 0.5, { lock: false }),
      list: [lock, new Map([['array', new SharedArray('h', [1, 2, 3])]])],
    }
    await lock.acquire()
    await things.recursive.acquire()
    const meeting = things.barrier.wait()
    const code = inOther(things, \`
      const { lock, condition, recursive, semaphore, bounded, event, barrier, value, plain, list } = arrived
      const array = list[1].get('array')
      console.log(JSON.stringify([lock === list[0], lock.locked(), lock.isOwn(), recursive.locked(), recursive.acquireSync(1)]))
      console.log(JSON.stringify([await barrier.wait(), String(value.value), plain.value, [...array], array.getLock().acquireSync()]))
      try { bounded.release() } catch ({ code }) { console.log(code) }
      array[2] = 30
      value.value++
      semaphore.release(2)
      await event.wait()
      await condition.using(() => { plain.value = 1; condition.notify() })
      process.kill(process.pid, array.getLock().isOwn() ? 'SIGKILL' : 'SIGTERM')\`)
    await meeting
    say(await things.semaphore.acquire(), await things.semaphore.acquire(), String(things.value.value))
    things.event.set()
    await condition.waitFor(() => plainIs(1))
    function plainIs(number) { return things.plain.value === number }
    say(await code, [...things.list[1].get('array')])
    say(await things.list[1].get('array').getLock().acquire(), things.list[1].get('array').getLock().ownerDied)
  `)
  t.same(lines, [
    [true, true, false, true, false],
    [1, '5', 0.5, [1, 2, 3], true],
    'EOVERFLOW',
    [true, true, '6'],
    [null, [1, 2, 30]],
    [true, true],
  ])
})

t.test("what was lent to another process is nobody else's memory, though its owner drops it", async (t) => {
  const lines = await saidBy(
    `${handOver}
    let value = new Value('i', 1, { lock: false })
    const done = inOther(value, "setTimeout(() => { console.log(arrived.value); process.exit(arrived.value) }, 300)")
    value = undefined
    const others = []
    for (let round = 0; round < 5; round++) {
      gc()
      await pause(10)
      for (let i = 0; i < 50; i++) others.push(new Value('i', 2, { lock: false }))
    }
    say(await done)
  `,
    { nodeOptions: ['--expose-gc'] },
  )
  t.same(lines, [1, 1])
})

t.test('a barrier with an action, and anything in a Queue, is refused by name', async (t) => {
  const { pack } = require('../../../dist/multiprocessing/transfer.js') as {
    pack(value: unknown, name: string, method?: string): unknown
  }
  t.throws(() => pack([new Barrier(1, { action() {} })], 'args', 'spawn'), { name: 'DataCloneError' })
  for (const object of each()) t.throws(() => pack({ object }, 'message'), { name: 'DataCloneError' })
})

t.test('a memory whose descriptor somebody has closed is not handed over as another file', async (t) => {
  const lines = await saidBy(`${handOver}
    const { fdTable } = require('truefork')
    const lock = new Lock()
    const { fd } = fdTable().find(({ target }) => target.includes('memfd:truefork'))
    fs.closeSync(fd)
    say(fs.openSync('/dev/null') === fd, thrown(() => pack(lock, 'args', 'spawn')))
    lock.acquireSync()
    await ended(await started(() => say(lock.locked())))
  `)
  t.same(lines, [[true, ['PosixError', 'EBADF', 'memfd_create']], true])
})

t.test('with a full table there is memory to share still', async (t) => {
  const lines = await saidBy(`
    const files = []
    try { for (;;) files.push(fs.openSync('/dev/null')) } catch {}
    const lock = new Lock()
    const array = new SharedArray('i', 1_000_000)
    for (const fd of files) fs.closeSync(fd)
    await lock.acquire()
    await ended(await started(() => { array[999_999] = lock.locked() ? 1 : 2 }))
    say(array[999_999])
  `)
  t.same(lines, [1])
})

const inWorker = (source: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(
      `const { Lock, Value, Event } = require('truefork/multiprocessing')
      const { parentPort } = require('node:worker_threads')
      ;(async () => { ${source} })()`,
      { eval: true },
    )
    worker.on('message', resolve).on('error', reject)
  })

t.test('an object that is made in a Worker works there', async (t) => {
  const said = await inWorker(`
    const lock = new Lock()
    const value = new Value('i', 1)
    lock.acquireSync()
    setTimeout(() => lock.release(), 20)
    parentPort.postMessage([await lock.acquire(), lock.isOwn(), await lock.acquire(5), value.value])
  `)
  t.same(said, [true, true, false, 1])
})

// A Lock can't be given to a Worker, so it is a child's copies of threads that share one with the parent's.
t.test('a Worker that is ended while it waits ends', async (t) => {
  const { code, signal, stderr } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    const wait = (how) => new Promise((resolve) => {
      const worker = new Worker(\`
        const { Lock, Event } = require('truefork/multiprocessing')
        const event = new Event()
        require('node:worker_threads').parentPort.postMessage(1)
        \${how}\`, { eval: true })
      worker.on('message', async () => { setTimeout(async () => resolve(await worker.terminate()), 20) })
    })
    Promise.all(['event.wait()', 'event.waitSync()', 'event.waitSync(1e9)', 'new Lock()'].map(wait)).then(() => process.exit(3))
  `)
  t.same([code, signal, stderr], [3, null, ''])
})

t.test('a process ends with waits that are pending, when it is told to', async (t) => {
  const lines = await saidBy(`
    const lock = new Lock()
    const ready = new Event()
    const holder = await started(async () => { lock.acquireSync(); ready.set(); await pause(100_000) })
    await ready.wait()
    const codes = []
    for (const leave of [() => process.exit(4), () => { throw new Error('expected') }, () => process.kill(process.pid, 'SIGTERM')]) {
      codes.push(await ended(await started(() => {
        process.on('uncaughtExceptionMonitor', () => console.error = () => {})
        for (let i = 0; i < 200; i++) lock.acquire()
        setTimeout(leave, 10)
        return pause(100_000)
      })))
    }
    process.kill(holder, 'SIGKILL')
    say(codes, await ended(holder))
  `)
  t.same(lines, [[[4, 1, 'SIGTERM'], 'SIGKILL']])
})

t.test('a held lock is in what a fork can tell, and is no reason to refuse', async (t) => {
  const lines = await saidBy(`
    const { forkHazards } = require('truefork')
    const { heldMutexes } = require('./dist/safety/locks.js')
    const lock = new Lock()
    lock.acquireSync()
    say(heldMutexes().map(({ name, shared, pid }) => [name, shared, pid === process.pid]), forkHazards().safe)
    lock.release()
    say(heldMutexes())
  `)
  t.same(lines, [[[['Lock', true, true]], true], []])
})
