// Pools and workers that end: killed, closed, terminated, left alone; and what they leave behind.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { linesOf, withoutAllThreads } from '../support/fork'
import { runProgram } from '../support/program'

t.setTimeout(180_000)
const skip = withoutAllThreads

const prelude = `
const { getContext, Pool, Process, Queue } = require('truefork/multiprocessing')
const { compareFdTables, fdTable } = require('truefork')
const tell = (...values) => console.log(JSON.stringify(values.length === 1 ? values[0] : values))
const range = (count) => Array.from({ length: count }, (_, index) => index)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const errorOf = (promise) => promise.then((value) => ({ value }), (error) => error)
const children = () =>
  fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').split(' ').filter(Boolean).map(Number)
// A child that ends puts 0-2 back as they were when Node began: they aren't its own.
const table = () => fdTable().filter(({ fd }) => fd > 2)
const left = (before) => compareFdTables(before, table()).text
async function until(condition) {
  while (!condition()) await sleep(5)
}
`
const lines = (body: string) => linesOf(`${prelude}\n;(async () => {${body}})()`, { timeoutMs: 90_000 })

t.test(
  'workers that are killed again and again: each result once, or its error, and the pool goes on',
  { skip },
  async (t) => {
    const [first, second] = (await lines(`
    const count = 3000
    const pool = new Pool(3)
    const work = (x) => [x * 2, process.pid]
    let killed = 0
    const outcomes = { right: 0, died: 0, other: 0 }
    const iterator = pool.imap(work, range(count))
    for (let index = 0; ; index++) {
      const outcome = await errorOf(iterator.next())
      if (outcome.value?.done) { outcomes.told = index; break }
      if (outcome.code === 'ERR_WORKER_DIED') outcomes.died++
      else if (outcome.value?.value[0] === index * 2) outcomes.right++
      else outcomes.other++
      // Whoever has just answered is at the next task, or between two.
      if (outcome.value !== undefined && index % 50 === 0) {
        try { process.kill(outcome.value.value[1], 'SIGKILL'); killed++ } catch {}
      }
    }
    tell({ ...outcomes, killed })
    tell((await pool.map(work, range(100))).every(([value], index) => value === index * 2))
    pool.close()
    await pool.join()`)) as [Record<string, number>, boolean]
    const { right = 0, died = 0, other, told, killed = 0 } = first
    t.same({ all: right + died, other, told }, { all: 3000, other: 0, told: 3000 }, JSON.stringify(first))
    t.ok(killed > 2 && died <= killed, JSON.stringify(first))
    t.equal(second, true)
  },
)

t.test('close and join, terminate and join leave no process and no descriptor', { skip }, async (t) => {
  const found = await lines(`
    await new Pool(1).apply(() => 1).then(() => {}) // what Node opens once for itself
    for (const pid of children()) process.kill(pid, 'SIGKILL')
    await until(() => children().length === 0)
    const before = table()
    for (const end of ['close', 'terminate']) {
      const pool = new Pool(3)
      await pool.map((x) => x + 1, range(100), 1)
      const large = await pool.map((x) => x.length, [Buffer.alloc(1e6), Buffer.alloc(2e6)])
      const rest = errorOf(pool.map(() => sleep(20), range(6), 1))
      pool[end]()
      await pool.join()
      tell(end, large, (await rest).code ?? (await rest).value.length, children().length, left(before))
      tell((await errorOf(pool.map((x) => x, [1]))).code)
    }`)
  t.same(found, [
    ['close', [1e6, 2e6], 6, 0, ''],
    'ERR_INVALID_STATE',
    ['terminate', [1e6, 2e6], 'ERR_POOL_TERMINATED', 0, ''],
    'ERR_INVALID_STATE',
  ])
})

t.test('join is refused while the pool runs; asyncDispose terminates it', { skip }, async (t) => {
  const found = await lines(`
    const pool = new Pool(2)
    tell((await errorOf(pool.join())).code)
    await pool.map((x) => x, [1])
    if (Symbol.asyncDispose) await pool[Symbol.asyncDispose]()
    else { pool.terminate(); await pool.join() }
    tell(children().length)
    pool.terminate()
    pool.close()
    await pool.join()
    tell('twice')`)
  t.same(found, ['ERR_INVALID_STATE', 0, 'twice'])
})

t.test('a worker that ignores SIGTERM is killed', { skip }, async (t) => {
  const found = await lines(`
    const pool = new Pool(1)
    const deaf = () => { process.on('SIGTERM', () => {}); return process.pid }
    const pid = await pool.apply(deaf)
    pool.terminate()
    await pool.join()
    tell(children().length, fs.existsSync('/proc/' + pid))`)
  t.same(found, [[0, false]])
})

t.test('a program with an idle pool ends, and its workers with it', { skip }, async (t) => {
  const { code, stdout } = await runProgram(
    `${prelude};(async () => { console.log(await new Pool(2).apply(() => process.pid)) })()`,
  )
  t.equal(code, 0)
  await goneSoon(t, Number(stdout))
})

t.test('workers end with a parent that is killed', { skip }, async (t) => {
  const { signal, stdout } = await runProgram(`${prelude}
    ;(async () => {
      const pool = new Pool(2)
      const pids = await pool.map(async () => { await sleep(20); return process.pid }, range(2), 1)
      fs.writeSync(1, pids.join(' '))
      void pool.map(() => { for (;;); }, range(2), 1)
      await sleep(50)
      process.kill(process.pid, 'SIGKILL')
    })()`)
  t.equal(signal, 'SIGKILL')
  for (const pid of stdout.split(' ')) await goneSoon(t, Number(pid))
})

async function goneSoon(t: Test, pid: number): Promise<void> {
  const deadline = performance.now() + 20_000
  while (isAlive(pid) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(isAlive(pid), false, `${pid}`)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('children beside the pool neither take its results nor keep its workers', { skip }, async (t) => {
  const found = await lines(`
    const pool = new Pool(2)
    const queue = new Queue()
    const mapping = pool.map(async (x) => { await sleep(2); return x }, range(200), 1)
    const inherited = async () => {
      const { code } = await errorOf(pool.map((x) => x, [1]))
      await queue.put([code, fdTable().filter(({ fd, target }) => fd > 2 && target.startsWith('socket:')).length])
      await sleep(100)
    }
    const process1 = new Process({ target: inherited })
    process1.start()
    const pid = fork()
    if (pid === 0) {
      setTimeout(() => _exit(0), 150)
      return
    }
    tell((await mapping).length)
    tell(await queue.get())
    pool.close()
    await pool.join()
    await process1.join()
    tell(ending(pid))`)
  t.same(found, [200, ['ERR_INVALID_STATE', 0], 0])
})

t.test('under spawn functions are imported, and others refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const module = join(folder, 'functions.js')
  writeFileSync(
    module,
    `let state = 0
    exports.square = (x) => x * x
    exports.add = (a, b) => a + b
    exports.enter = (value) => { state = value }
    exports.state = () => [state, process.pid]
    exports.fail = function fail() { throw new TypeError('no') }
    exports.die = () => process.kill(process.pid, 'SIGKILL')`,
  )
  const found = (await lines(`
    const functions = require(${JSON.stringify(module)})
    const pool = new (getContext('spawn').Pool)(2, { initializer: functions.enter, initargs: ['entered'] })
    tell(await pool.map(functions.square, range(10), 2))
    tell(await pool.starmap(functions.add, [[1, 2]]), await pool.apply(functions.square, [3]))
    const [state, pid] = await pool.apply(functions.state)
    tell(state, pid !== process.pid)
    const error = await errorOf(pool.apply(functions.fail))
    tell(error instanceof TypeError, /at fail/.test(error.cause.stack))
    tell((await errorOf(pool.apply(functions.die))).code, (await errorOf(pool.apply(() => 1))).code)
    tell((await errorOf((async () => new (getContext('spawn').Pool)(1, { initializer: () => {} }))())).code)
    tell(await pool.apply(functions.square, [4]))
    pool.close()
    await pool.join()`)) as unknown[]
  t.same(found, [
    [0, 1, 4, 9, 16, 25, 36, 49, 64, 81],
    [[3], 9],
    ['entered', true],
    [true, true],
    ['ERR_WORKER_DIED', 'ERR_INVALID_ARG_VALUE'],
    'ERR_INVALID_ARG_VALUE',
    16,
  ])
})

t.test('wrong arguments are refused before anything happens', { skip }, async (t) => {
  const found = await lines(`
    const codeOf = (call) => { try { call(); return 'none' } catch ({ code }) { return code } }
    const before = table()
    tell([0, -1, 1.5, 2 ** 31].map((wrong) => codeOf(() => new Pool(wrong))))
    tell(['1', null, {}].map((wrong) => codeOf(() => new Pool(wrong))))
    tell([{ initializer: 1 }, { initargs: {} }, { maxtasksperchild: '1' }, null].map((wrong) => codeOf(() => new Pool(1, wrong))))
    tell([0, 1.5].map((wrong) => codeOf(() => new Pool(1, { maxtasksperchild: wrong }))))
    const pool = new Pool(1)
    const wrong = [
      pool.map(1, [1]), pool.map((x) => x, 1), pool.map((x) => x, null), pool.map((x) => x, [1], '2'),
      pool.map((x) => x, [1], { signal: {} }), pool.map((x) => x, [1], { onProgress: 1 }), pool.apply((x) => x, 1),
      pool.starmap(null, []),
    ]
    tell(await Promise.all(wrong.map(async (each) => (await errorOf(each)).code)))
    tell((await errorOf(pool.map((x) => x, [1], 0))).code, codeOf(() => pool.imap((x) => x, [1], 0)), codeOf(() => pool.imap(1, [])))
    tell(children().length, left(before))`)
  const type = 'ERR_INVALID_ARG_TYPE'
  const range = 'ERR_OUT_OF_RANGE'
  t.same(found, [
    [range, range, range, range],
    [type, type, type],
    [type, type, type, type],
    [range, range],
    Array(8).fill(type),
    [range, range, type],
    [0, ''],
  ])
})
