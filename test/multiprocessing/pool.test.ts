// A Pool's calls: what they return, in which order, and what they throw.
import t from 'tap'
import { linesOf, withoutAllThreads } from '../support/fork'

t.setTimeout(120_000)
const skip = withoutAllThreads

/** Programs with a pool of two workers, whose last line says what is left behind. */
async function poolLines(body: string, pool = 'new Pool(2)'): Promise<unknown[]> {
  return linesOf(
    `
    const { Pool, PoolError, WorkerDiedError } = require('truefork/multiprocessing')
    const { compareFdTables, fdTable } = require('truefork')
    const tell = (...values) => console.log(JSON.stringify(values.length === 1 ? values[0] : values))
    const range = (count) => Array.from({ length: count }, (_, index) => index)
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    const errorOf = (promise) => promise.then((value) => ({ value }), (error) => error)
    async function collect(iterator) {
      const values = []
      for await (const value of iterator) values.push(value)
      return values
    }
    const children = () => fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').split(' ').filter(Boolean).length
    ;(async () => {
      const pool = ${pool}
      ${body}
      pool.terminate()
      await pool.join()
    })()`,
    { timeoutMs: 60_000 },
  )
}

t.test('map, starmap and apply return what the function returns, in order', { skip }, async (t) => {
  const lines = await poolLines(`
    const square = (x) => x * x
    tell(await pool.map(square, [3, 1, 2]))
    tell((await pool.map(square, range(1000))).every((value, index) => value === index * index))
    for (const chunksize of [1, 7, 1000]) {
      tell((await pool.map(square, range(100), chunksize)).every((value, index) => value === index * index))
    }
    tell(await pool.map(square, []))
    tell(await pool.map((text) => text.toUpperCase(), 'abc'))
    tell(await pool.map(square, new Set([4, 5])))
    tell(await pool.starmap((a, b) => a + b, [[1, 2], ['a', 'b']]))
    tell(await pool.apply((a, b) => [a, b], [1, { b: 2 }]))`)
  t.same(lines, [[9, 1, 4], true, true, true, true, [], ['A', 'B', 'C'], [16, 25], [3, 'ab'], [1, { b: 2 }]])
})

t.test('values of every kind come back as they were, alone and beside others', { skip }, async (t) => {
  const lines = await poolLines(`
    const { inspect, isDeepStrictEqual } = require('node:util')
    const values = [0, -0, 0.1, 1e308, -(2 ** 53), NaN, Infinity, -Infinity, true, false, null, undefined, 10n, '', 'a\\u0000"',
      '\\ud800', '\\u2603', 'long'.repeat(1000), [], [1, , 3], [[-0]], {}, { toJSON: 1 }, { a: undefined }, new Date(1),
      new Map([[1, new Set([2])]]), /x/g, new Uint8Array([1, 2]), Buffer.from('b'), new Error('e')]
    const same = (one, other) => isDeepStrictEqual(one, other) && inspect(one) === inspect(other)
    const plain = (x) => Buffer.isBuffer(x) ? new Uint8Array(x) : x // as structured clone has it
    const identity = (x) => x
    for (const chunksize of [1, 2, values.length]) {
      const returned = await pool.map(identity, values, chunksize)
      tell(values.filter((value, index) => !same(plain(value), plain(returned[index]))).map((value) => inspect(value)))
    }
    tell((await pool.map(identity, new Array(10_000).fill('text'), 10_000)).join('') === 'text'.repeat(10_000))`)
  t.same(lines, [[], [], [], true])
})

t.test('functions may be closures, and may return promises', { skip }, async (t) => {
  const lines = await poolLines(`
    let factor = 2
    tell(await pool.map((x) => x * factor, [1, 2]))
    factor = 3
    tell(await pool.map((x) => x * factor, [1, 2]), 'a new function is called with the memory of now')
    const scale = (x) => x * factor
    tell(await pool.map(scale, [1, 2]))
    factor = 4
    tell(await pool.map(scale, [1, 2]), 'a known function finds its worker as it was')
    tell(await pool.map(async (x) => { await sleep(1); return x + 1 }, [1, 2]))
    const parent = process.pid
    tell((await pool.map(() => process.pid, range(20), 1)).includes(parent))`)
  t.same(lines, [
    [2, 4],
    [[3, 6], 'a new function is called with the memory of now'],
    [3, 6],
    [[3, 6], 'a known function finds its worker as it was'],
    [2, 3],
    false,
  ])
})

t.test('imap keeps the order of the items, imapUnordered that of the results', { skip }, async (t) => {
  const lines = await poolLines(`
    const late = async (ms) => { await sleep(ms); return ms }
    tell(await collect(pool.imap(late, [200, 1, 2, 3])))
    tell((await collect(pool.imapUnordered(late, [400, 1, 2, 3]))).at(-1))
    tell(await collect(pool.imap((x) => x + 1, range(20), 3)))
    tell((await collect(pool.imapUnordered((x) => x + 1, range(20), 3))).sort((a, b) => a - b))
    tell(await collect(pool.imap((x) => x, [])))
    const iterator = pool.imap((x) => x, [1])
    tell(await iterator.next(), await iterator.next(), await iterator.next())`)
  const upTo20 = Array.from({ length: 20 }, (_, index) => index + 1)
  t.same(lines, [[200, 1, 2, 3], 400, upTo20, upTo20, [], [{ done: false, value: 1 }, { done: true }, { done: true }]])
})

t.test('an endless input is read no further than workers and the taker keep up', { skip }, async (t) => {
  const lines = await poolLines(`
    let read = 0
    let closed = false
    function* endless() {
      try { for (;;) yield read++ } finally { closed = true }
    }
    const iterator = pool.imap((x) => x * 2, endless())
    tell((await iterator.next()).value, (await iterator.next()).value)
    await sleep(50)
    tell(read < 40 || read)
    await iterator.return()
    tell(closed, await iterator.next())
    read = 0
    const seen = []
    for await (const value of pool.imapUnordered((x) => x, endless(), { chunksize: 5 })) {
      seen.push(value)
      if (seen.length === 100) break
    }
    tell(new Set(seen).size, read < 400 || read)
    async function* slowly() { for (const item of [1, 2, 3]) { await sleep(1); yield item } }
    tell(await pool.map((x) => x * 10, slowly()), await collect(pool.imap((x) => x, slowly(), 2)))
    async function* asyncEndless() { for (;;) yield read++ }
    read = 0
    const other = pool.imap((x) => x, asyncEndless())
    tell((await other.next()).value)
    await sleep(50)
    tell(read < 40 || read)
    await other.return()`)
  t.same(lines, [
    [0, 2],
    true,
    [true, { done: true }],
    [100, true],
    [
      [10, 20, 30],
      [1, 2, 3],
    ],
    0,
    true,
  ])
})

t.test('an error comes with its class, its fields, and the stack of the worker', { skip }, async (t) => {
  const [first, ...others] = await poolLines(`
    function failing(x) {
      if (x === 2) throw Object.assign(new RangeError('two is too much'), { code: 'E_TWO', x })
      return x
    }
    const error = await errorOf(pool.map(failing, [1, 2, 3], 1))
    tell({
      isRangeError: error instanceof RangeError, message: error.message, code: error.code, x: error.x,
      cause: error.cause.name, remote: /at failing/.test(error.cause.stack), here: /at \\[eval\\]|at .*eval/.test(error.stack),
      pid: error.cause.pid !== process.pid,
    })
    tell(await pool.map(failing, [1, 3]))
    class Own extends Error { name = 'Own' }
    const own = await errorOf(pool.apply(async () => { throw new Own('mine', { cause: 'why' }) }))
    tell(own.name, own.message, own.cause.cause)
    tell(await errorOf(pool.apply(() => { throw 'text' })))
    tell((await errorOf(pool.apply(() => () => {}))).code, (await errorOf(pool.apply((x) => x, [() => {}]))).code)
    const iterator = pool.imap(failing, [1, 2, 3])
    tell((await iterator.next()).value, (await errorOf(iterator.next())).message, (await iterator.next()).value)
    tell((await iterator.next()).done)
    const outcome = await errorOf(pool.map((x) => x, (function* () { yield 1; throw new Error('input') })()))
    tell(outcome.message)
    const broken = pool.imap((x) => x, (function* () { yield 1; throw new Error('input') })())
    tell((await broken.next()).value, (await errorOf(broken.next())).message, (await broken.next()).done)`)
  t.same(first, {
    isRangeError: true,
    message: 'two is too much',
    code: 'E_TWO',
    x: 2,
    cause: 'RemoteTraceback',
    remote: true,
    here: true,
    pid: true,
  })
  t.same(others, [
    [1, 3],
    ['Own', 'mine', 'why'],
    'text',
    ['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_VALUE'],
    [1, 'two is too much', 3],
    true,
    'input',
    [1, 'input', true],
  ])
})

t.test('a task whose worker dies fails, by a name and a number, and the pool goes on', { skip }, async (t) => {
  const lines = await poolLines(`
    const killed = await errorOf(pool.apply(() => process.kill(process.pid, 'SIGKILL')))
    tell(killed instanceof WorkerDiedError, killed.code, killed.signal, killed.exitCode, killed.pid > 1)
    const left = await errorOf(pool.apply(() => process.exit(3)))
    tell(left.code, left.signal, left.exitCode, /PoolWorker-\\d+ \\(process \\d+\\) exited with 3/.test(left.message))
    const outcomes = []
    const iterator = pool.imap((x) => { if (x === 7) process.kill(process.pid, 'SIGKILL'); return x }, range(20))
    for (;;) {
      const result = await errorOf(iterator.next().then((item) => ({ item })))
      if (result.value?.item.done) break
      outcomes.push(result.value?.item.value ?? result.code)
    }
    tell(outcomes)
    tell(await pool.map((x) => x + 1, range(5)))`)
  t.same(lines, [
    [true, 'ERR_WORKER_DIED', 'SIGKILL', -9, true],
    ['ERR_WORKER_DIED', null, 3, true],
    [0, 1, 2, 3, 4, 5, 6, 'ERR_WORKER_DIED', 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    [1, 2, 3, 4, 5],
  ])
})

t.test('a task is not kept waiting behind a long one', { skip }, async (t) => {
  const lines = await poolLines(`
    const meet = async (x) => {
      // The first and the last must run at once, each in its worker.
      if (x === 0) while (!fs.existsSync(flag)) await sleep(5)
      if (x === 9) fs.writeFileSync(flag, '')
      return x
    }
    const flag = fs.mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'truefork-')) + '/flag'
    await pool.map((x) => x, range(100), 1)
    tell(await pool.map(meet, range(10), 1))
    fs.rmSync(require('node:path').dirname(flag), { recursive: true })`)
  t.same(lines, [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])
})

t.test('the initializer runs once in each worker, before its tasks', { skip }, async (t) => {
  const initializer = `async (name) => { await sleep(1); globalThis.state = [name, (globalThis.state?.[1] ?? 0) + 1] }`
  const lines = await poolLines(
    `tell(await pool.map(() => globalThis.state, range(4), 1), globalThis.state)`,
    `new Pool(2, { initializer: ${initializer}, initargs: ['given'] })`,
  )
  const given = ['given', 1]
  t.same(lines, [[[given, given, given, given], null]])
})

t.test('an initializer that fails fails the pool, and no worker is made again and again', { skip }, async (t) => {
  const lines = await poolLines(
    `
    const error = await errorOf(pool.map((x) => x, range(10)))
    tell(error instanceof PoolError, error.code, error.cause.message, error.cause.cause.name)
    tell((await errorOf(pool.apply(() => 1))).code)
    pool.close()
    await pool.join()
    tell(children())`,
    `new Pool(2, { initializer: () => { throw new Error('not today') } })`,
  )
  t.same(lines, [[true, 'ERR_POOL_INITIALIZER', 'not today', 'RemoteTraceback'], 'ERR_POOL_INITIALIZER', 0])
  const dying = await poolLines(
    `const error = await errorOf(pool.map((x) => x, range(10)))
    tell(error.code, error.cause.code)`,
    `new Pool(2, { initializer: () => process.kill(process.pid, 'SIGKILL') })`,
  )
  t.same(dying, [['ERR_POOL_WORKERS', 'ERR_WORKER_DIED']])
})

t.test('after maxtasksperchild tasks a fresh worker takes over', { skip }, async (t) => {
  const lines = await poolLines(
    `
    const counts = new Map()
    for (const pid of await pool.map(() => process.pid, range(20), 1)) counts.set(pid, (counts.get(pid) ?? 0) + 1)
    tell(counts.size, [...counts.values()].every((count) => count <= 3))
    tell((await pool.map((x) => x, range(10), 5)).length)`,
    'new Pool(2, { maxtasksperchild: 3 })',
  )
  const [[workers, isKept], length] = lines as [[number, boolean], number]
  t.ok(workers >= 7, `${workers} workers`)
  t.same([isKept, length], [true, 10])
})

t.test('an aborted call rejects at once, and the pool goes on', { skip }, async (t) => {
  const lines = await poolLines(`
    const controller = new AbortController()
    const { signal } = controller
    const long = pool.map((x) => sleep(x === 0 ? 200 : 0).then(() => x), range(50), { chunksize: 1, signal })
    const iterator = pool.imap((x) => sleep(10), range(50), { signal })
    setTimeout(() => controller.abort('enough'), 30)
    const error = await errorOf(long)
    tell(error.name, error.code, error.cause)
    for (;;) {
      const outcome = await errorOf(iterator.next())
      if (outcome.code) { tell(outcome.code); break }
    }
    tell((await iterator.next()).done)
    tell((await errorOf(pool.map((x) => x, [1], { signal }))).code)
    tell(await pool.map((x) => x, [1, 2]))`)
  t.same(lines, [['AbortError', 'ABORT_ERR', 'enough'], 'ABORT_ERR', true, 'ABORT_ERR', [1, 2]])
})

t.test('progress is told', { skip }, async (t) => {
  const lines = await poolLines(`
    const told = []
    await pool.map((x) => x, range(10), { chunksize: 4, onProgress: (progress) => told.push(progress) })
    tell(told.map(({ done }) => done).at(-1), told.length, told.every(({ total }) => total === 10))
    const open = []
    await collect(pool.imap((x) => x, new Set([1, 2]), { onProgress: ({ done, total }) => open.push([done, total]) }))
    tell(open.at(-1))
    tell((await errorOf(pool.map((x) => x, [1], { onProgress() { throw new Error('mine') } }))).message)`)
  t.same(lines, [[10, 3, true], [2, 2], 'mine'])
})
