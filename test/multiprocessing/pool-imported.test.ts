// Pools whose workers are no copies of the pool's process: they import the functions that they call.
import t, { type Test } from 'tap'
import { importing, runUnder, saidUnder } from './support/imported'

t.setTimeout(180_000)
const notLinux = process.platform !== 'linux' && 'only on Linux a killed server takes its workers with it at once'

const functions = `
const { existsSync, writeFileSync } = require('node:fs')
const loadedIn = process.pid
let given = []
exports.square = (x) => x * x
exports.add = (a, b) => a + b
exports.later = async (x) => { await null; return x + 1 }
exports.ids = () => ({ pid: process.pid, ppid: process.ppid, loadedIn })
exports.enter = (...args) => { given.push(args) }
exports.given = () => given
exports.putGiven = (item) => given[0][0].put(item)
exports.failToEnter = () => { throw new Error('not today') }
exports.fail = function fail(x) { throw Object.assign(new RangeError('no ' + x), { code: 'E_NO', x }) }
exports.reject = async () => { throw 'text' }
exports.unclonable = () => () => {}
exports.die = () => process.kill(process.pid, 'SIGKILL')
exports.exit = (code) => process.exit(code)
exports.dieAtSeven = (x) => { if (x === 7) process.kill(process.pid, 'SIGKILL'); return x }
exports.doubled = (x) => [x * 2, process.pid]
exports.unlessHeld = async ([name, flag]) => {
  while (name === 'held' && !existsSync(flag)) await new Promise((resolve) => setTimeout(resolve, 5))
  return name
}
exports.stay = async (flag) => {
  writeFileSync(flag, '')
  await new Promise((resolve) => setTimeout(resolve, 60_000))
}
`

const helpers = `
const { Pool, PoolError, WorkerDiedError } = mp
const { join } = require('node:path')
const collect = async (iterator) => { const values = []; for await (const value of iterator) values.push(value); return values }
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const isThere = (pid) => { try { return process.kill(pid, 0) } catch { return false } }
const flag = join(__dirname, 'flag')
const end = async (pool) => { pool.close(); await pool.join() }
`

for (const method of importing) {
  const said = (test: Test, source: string): Promise<unknown[]> => saidUnder(test, method, functions, helpers + source)

  t.test(`${method}: map, starmap, apply and imap return what the functions return`, async (t) => {
    const lines = await said(
      t,
      `
      const pool = new Pool(2)
      for (const chunksize of [undefined, 1, 7, 100]) {
        say((await pool.map(functions.square, range(50), chunksize)).every((value, index) => value === index * index))
      }
      say(await pool.map(functions.square, []), await pool.map(functions.later, new Set([1, 2])))
      say(await pool.starmap(functions.add, [[1, 2], ['a', 'b']]), await pool.apply(functions.add, [3, 4]))
      say(await collect(pool.imap(functions.square, range(10), 3)))
      say((await collect(pool.imapUnordered(functions.square, range(10)))).sort((a, b) => a - b))
      const unordered = pool.imapUnordered(functions.unlessHeld, [['held', flag], ['free']])
      const first = (await unordered.next()).value
      fs.writeFileSync(flag, '')
      say(first, (await unordered.next()).value, (await unordered.next()).done)
      const [{ pid }] = await pool.map(functions.ids, [0])
      say(pid === process.pid)
      await end(pool)`,
    )
    const squares = Array.from({ length: 10 }, (_, index) => index * index)
    t.same(lines, [
      true,
      true,
      true,
      true,
      [[], [2, 3]],
      [[3, 'ab'], 7],
      squares,
      squares,
      ['free', 'held', true],
      false,
    ])
  })

  t.test(`${method}: an error comes with its class, its fields and its stack, and the pool goes on`, async (t) => {
    const lines = await said(
      t,
      `
      const pool = new Pool(2)
      const error = await errorOf(pool.map(functions.fail, [5]))
      say(error instanceof RangeError, error.message, error.code, error.x, /at fail/.test(error.cause.stack), error.cause.pid !== process.pid)
      say(await errorOf(pool.apply(functions.reject)), (await errorOf(pool.apply(functions.unclonable))).code)
      const iterator = pool.imap(functions.fail, [1, 2])
      say((await errorOf(iterator.next())).message, (await errorOf(iterator.next())).message, (await iterator.next()).done)
      say((await errorOf(pool.apply(() => 1))).code, thrownBy(() => new Pool(1, { initializer: [() => {}][0] })).code)
      fs.writeFileSync(join(__dirname, 'here.cjs'), "if (!globalThis.isProgram) throw new Error('not there'); exports.run = () => {}")
      globalThis.isProgram = true
      say((await errorOf(pool.apply(require('./here.cjs').run))).message)
      say(await pool.map(functions.square, [3, 4]))
      await end(pool)
      const failing = new Pool(2, { initializer: functions.failToEnter })
      const failure = await errorOf(failing.map(functions.square, range(4)))
      say(failure instanceof PoolError, failure.code, failure.cause.message)
      await end(failing)`,
    )
    t.same(lines, [
      [true, 'no 5', 'E_NO', 5, true, true],
      ['text', 'ERR_INVALID_ARG_VALUE'],
      ['no 1', 'no 2', true],
      ['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_VALUE'],
      'not there',
      [9, 16],
      [true, 'ERR_POOL_INITIALIZER', 'not today'],
    ])
  })

  t.test(`${method}: a task whose worker dies fails by a name and a number, and nothing else is lost`, async (t) => {
    const lines = (await said(
      t,
      `
      const pool = new Pool(2)
      const killed = await errorOf(pool.apply(functions.die))
      say(killed instanceof WorkerDiedError, killed.code, killed.signal, killed.exitCode, isThere(killed.pid))
      const left = await errorOf(pool.apply(functions.exit, [3]))
      say(left.code, left.signal, left.exitCode)
      const outcomes = []
      for (let iterator = pool.imap(functions.dieAtSeven, range(12)); ; ) {
        const outcome = await errorOf(iterator.next())
        if (outcome.value?.done) break
        outcomes.push(outcome.value?.value ?? outcome.code)
      }
      say(outcomes)
      const counts = { right: 0, died: 0, other: 0, killed: 0 }
      const iterator = pool.imap(functions.doubled, range(500))
      for (let index = 0; ; index++) {
        const outcome = await errorOf(iterator.next())
        if (outcome.value?.done) break
        if (outcome.code === 'ERR_WORKER_DIED') counts.died++
        else if (outcome.value?.value[0] === index * 2) counts.right++
        else counts.other++
        if (index % 120 !== 0 || outcome.value === undefined) continue
        try { process.kill(outcome.value.value[1], 'SIGKILL'); counts.killed++ } catch {}
      }
      say(counts)
      say(await pool.map(functions.square, range(4)))
      await end(pool)`,
    )) as unknown[]
    const counts = lines.splice(3, 1)[0] as Record<string, number>
    const { right = 0, died = 0, other, killed = 0 } = counts
    t.same([right + died, other, killed > 0 && died <= killed], [500, 0, true], JSON.stringify(counts))
    t.same(lines, [
      [true, 'ERR_WORKER_DIED', 'SIGKILL', -9, false],
      ['ERR_WORKER_DIED', null, 3],
      [0, 1, 2, 3, 4, 5, 6, 'ERR_WORKER_DIED', 8, 9, 10, 11],
      [0, 1, 4, 9],
    ])
  })

  t.test(`${method}: each worker is given the initializer's arguments, a Queue and a Lock among them`, async (t) => {
    const lines = await said(
      t,
      `
      const queue = new mp.Queue()
      const pool = new Pool(2, { initializer: functions.enter, initargs: [queue, new mp.Lock()] })
      await pool.map(functions.putGiven, range(6), 1)
      say(range(6).map(() => queue.getNowait()).sort(), queue.empty())
      await end(pool)
      const other = new Pool(2, { initializer: functions.enter, initargs: ['given'], maxtasksperchild: 2 })
      say(await other.map(functions.given, range(3), 1))
      const pids = (await other.map(functions.ids, range(7), 1)).map(({ pid }) => pid)
      say(range(7).every((index) => pids.filter((pid) => pid === pids[index]).length <= 2))
      await end(other)`,
    )
    t.same(lines, [[[0, 1, 2, 3, 4, 5], true], [[['given']], [['given']], [['given']]], true])
  })

  t.test(`${method}: close and terminate leave no worker and no descriptor; an aborted call rejects`, async (t) => {
    const lines = await said(
      t,
      `
      const round = async (finish) => {
        const pool = new Pool(2)
        const ids = await pool.map(functions.ids, range(4), 1)
        const controller = new AbortController()
        const staying = errorOf(pool.apply(functions.stay, [flag], { signal: controller.signal }))
        while (!fs.existsSync(flag)) await sleep(5)
        fs.rmSync(flag)
        if (finish !== 'terminate') {
          controller.abort()
          say((await staying).code)
        }
        pool.terminate()
        if (finish === 'terminate') say((await staying).code)
        await pool.join()
        return ids.filter(({ pid }) => isThere(pid)).length
      }
      await round('abort') // what Node and the start method open once for themselves
      const before = table()
      say(await round('terminate'))
      const pool = new Pool(2)
      const last = pool.map(functions.square, range(6), 1)
      await end(pool)
      say((await last).length, mp.activeChildren().length)
      await tableAs(before)
      say((await errorOf(pool.map(functions.square, [1]))).code)`,
    )
    t.same(lines, ['ABORT_ERR', 'ERR_POOL_TERMINATED', 0, [6, 0], 'ERR_INVALID_STATE'])
  })

  t.test(`${method}: workers end with a program that ends, or is killed, and don't keep it`, async (t) => {
    for (const how of ['', `process.kill(process.pid, 'SIGKILL')`]) {
      const { code, signal, stdout } = await runUnder(
        t,
        method,
        functions,
        `${helpers}
        const pool = new Pool(2)
        say((await pool.map(functions.ids, range(4), 1)).map(({ pid }) => pid))
        ${how}`,
      )
      t.same([code, signal], how === '' ? [0, null] : [null, 'SIGKILL'])
      for (const pid of JSON.parse(stdout) as number[]) await gone(t, pid)
    }
  })
}

/** Resolves when there is no such process any more; the test's own time limit is for one that stays. */
async function gone(t: Test, pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch (error) {
      t.equal((error as NodeJS.ErrnoException).code, 'ESRCH')
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

t.test('getContext gives a Pool of its method, and what is preloaded is loaded in the server', async (t) => {
  const lines = await saidUnder(
    t,
    'spawn',
    functions,
    `${helpers}
    mp.setForkserverPreload([require.resolve('./functions.cjs')])
    const pool = new (mp.getContext('forkserver').Pool)(1)
    const { ppid, loadedIn } = await pool.apply(functions.ids)
    say(loadedIn === ppid, ppid === process.pid)
    await end(pool)
    const spawning = new Pool(1)
    const ids = await spawning.apply(functions.ids)
    say(ids.loadedIn === ids.pid, ids.ppid === process.pid)
    await end(spawning)`,
  )
  t.same(lines, [
    [true, false],
    [true, true],
  ])
})

t.test('functions of an ES module are known by their own names, however they are exported', async (t) => {
  const lines = await saidUnder(
    t,
    'spawn',
    functions,
    `${helpers}
    const module = "const hidden = () => 0; function twice(x) { return x * 2 }; export { hidden as seen, twice as double }; export default function half(x) { return x / 2 }"
    fs.writeFileSync(join(__dirname, 'module.mjs'), module + "; export const unexported = () => { function inner() {}; return inner }")
    const { double, default: half, unexported } = await import('./module.mjs')
    for (const method of ['spawn', 'forkserver']) {
      const pool = new (mp.getContext(method).Pool)(1)
      say(await pool.map(double, [1, 2]), await pool.map(half, [2, 4]), (await errorOf(pool.apply(unexported()))).code)
      await end(pool)
    }`,
  )
  const each = [[2, 4], [1, 2], 'ERR_INVALID_ARG_VALUE']
  t.same(lines, [each, each])
})

t.test('a pool goes on with another fork server when its own is killed', { skip: notLinux }, async (t) => {
  const lines = await saidUnder(
    t,
    'forkserver',
    functions,
    `${helpers}
    const pool = new Pool(1)
    const { ppid: server } = await pool.apply(functions.ids)
    const staying = errorOf(pool.apply(functions.stay, [flag]))
    while (!fs.existsSync(flag)) await sleep(5)
    process.kill(server, 'SIGKILL')
    const { code, exitCode } = await staying
    say(code, exitCode)
    const { ppid: other } = await pool.apply(functions.ids)
    say(other === server, await pool.map(functions.square, range(4)))
    await end(pool)`,
  )
  t.same(lines, [
    ['ERR_WORKER_DIED', 255],
    [false, [0, 1, 4, 9]],
  ])
})
