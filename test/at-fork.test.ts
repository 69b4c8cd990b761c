import { Worker } from 'node:worker_threads'
import t from 'tap'
import { registerAtFork } from 'truefork'
import { linesOf, runForking, singleThreaded, withoutAllThreads } from './support/fork'

const ways: [string, string, string | false][] = [
  ['all threads', "{ threads: 'all' }", withoutAllThreads],
  ['the caller alone', "{ threads: 'caller' }", false],
]

// told: what the hooks of a name have said so far; each process has its own.
const prelude = `
  const { registerAtFork } = require('truefork')
  let told = []
  const say = (word) => () => { told.push(word) }
  const named = (name) => registerAtFork({
    before: say('before ' + name),
    afterInParent(pid) { told.push('parent ' + name, pid > 0) },
    afterInChild: say('child ' + name),
  })
  const turn = (options) => {
    told = []
    const pid = fork(options)
    if (pid === 0) { console.log(JSON.stringify(told)); _exit(0) }
    assert.strictEqual(ending(pid), 0)
    console.log(JSON.stringify(told))
  }
`

for (const [name, options, skip] of ways) {
  t.test(`hooks run once, in order, on their side of a fork with ${name}`, { skip }, async (t) => {
    const lines = await linesOf(
      `${prelude}
      named('one')
      const undo = named('two')
      turn(${options})
      undo()
      undo()
      turn(${options})`,
      singleThreaded,
    )
    t.same(lines, [
      ['before two', 'before one', 'child one', 'child two'],
      ['before two', 'before one', 'parent one', true, 'parent two', true],
      ['before one', 'child one'],
      ['before one', 'parent one', true],
    ])
  }) // atfork-01
}

t.test('hooks that are missing are not called', async (t) => {
  const lines = await linesOf(
    `${prelude}
    for (let given = 1; given < 8; given++) {
      const undo = registerAtFork({
        ...(given & 1 && { before: say('before') }),
        ...(given & 2 && { afterInParent: say('parent') }),
        ...(given & 4 && { afterInChild: say('child') }),
      })
      turn({ threads: 'caller' })
      undo()
    }`,
    singleThreaded,
  )
  const expected = [1, 2, 3, 4, 5, 6, 7].flatMap((given) => {
    const before = given & 1 ? ['before'] : []
    return [
      [...before, ...(given & 4 ? ['child'] : [])],
      [...before, ...(given & 2 ? ['parent'] : [])],
    ]
  })
  t.same(lines, expected)
}) // atfork-03

t.test('what are no hooks is refused, and nothing is registered', async (t) => {
  const code = 'ERR_INVALID_ARG_TYPE'
  for (const hooks of [undefined, null, 1, 'before', [], {}, () => {}, { after() {} }]) {
    t.throws(() => registerAtFork(hooks as never), { name: 'TypeError', code })
  }
  for (const hook of [null, 1, 'f', {}]) {
    for (const name of ['before', 'afterInParent', 'afterInChild']) {
      t.throws(() => registerAtFork({ before() {}, [name]: hook }), { code, message: new RegExp(`"hooks.${name}"`) })
    }
  }
  const lines = await linesOf(
    `${prelude}
    try { registerAtFork({ before: say('before'), afterInChild: 1 }) } catch {}
    turn({ threads: 'caller' })`,
    singleThreaded,
  )
  t.same(lines, [[], []])
}) // atfork-04

t.test('ten thousand hooks all run', async (t) => {
  const lines = await linesOf(
    `${prelude}
    for (let i = 0; i < 10_000; i++) registerAtFork({ before() { told.push(i) }, afterInParent() { told.push(i) } })
    const pid = fork({ threads: 'caller' })
    if (pid === 0) _exit(told.length === 10_000 ? 0 : 1)
    console.log(ending(pid), told.length, told.every((word, at) => word === (at < 10_000 ? 9_999 - at : at - 10_000)))`,
    singleThreaded,
  )
  t.same(lines, ['0 20000 true'])
}) // atfork-05

t.test('a hook sees the process that it is of', { skip: withoutAllThreads }, async (t) => {
  const lines = await linesOf(`${prelude}
    const parent = process.pid
    const { threadId } = require('node:worker_threads')
    registerAtFork({
      before() { told.push(process.pid === parent && threadId === 0) },
      afterInParent() { told.push(process.pid === parent) },
      afterInChild() { told.push(process.pid !== parent && process.ppid === parent, process.pid === require('truefork').getpid()) },
    })
    turn()`)
  t.same(lines, [
    [true, true, true],
    [true, true],
  ])
}) // atfork-06

t.test('a before that throws cancels the fork, and those that ran are told', async (t) => {
  const lines = await linesOf(
    `${prelude}
    const name = (word) => registerAtFork({ before: say(word), afterInParent(pid) { told.push(word + pid) } })
    name('a')
    const undo = registerAtFork({ before() { throw new TypeError('not now') }, afterInParent: say('never') })
    name('b')
    name('c')
    try { fork({ threads: 'caller' }) } catch (error) { console.log(error.name, error.message) }
    try { wait() } catch ({ code }) { console.log(code) }
    console.log(told.join())
    undo()
    told = []
    try { fork({ threads: 'caller', drainMs: -1 }) } catch ({ code }) { console.log(code, told.length) }
    const pid = fork({ threads: 'caller' })
    if (pid === 0) _exit(0)
    console.log(ending(pid))`,
    singleThreaded,
  )
  t.same(lines, ['TypeError not now', 'ECHILD', 'c,b,b-1,c-1', 'ERR_OUT_OF_RANGE 0', 0])
}) // atfork-08

t.test('a fork that is refused is told to those that were ready', async (t) => {
  const lines = await linesOf(`${prelude}
    registerAtFork({ before: say('before'), afterInParent(pid) { told.push(pid) } })
    try { fork({ threads: 'caller' }) } catch ({ code }) { console.log(code) }
    console.log(JSON.stringify(told))`)
  t.same(lines, ['ERR_FORK_HAZARD', ['before', -1]])
})

t.test('what a hook changes counts from the next fork on', async (t) => {
  const lines = await linesOf(
    `${prelude}
    const undo = registerAtFork({
      before() { told.push('once'); undo(); named('new') },
      afterInParent: say('parent'),
      afterInChild: say('child'),
    })
    turn({ threads: 'caller' })
    turn({ threads: 'caller' })`,
    singleThreaded,
  )
  t.same(lines, [
    ['once', 'child'],
    ['once', 'parent'],
    ['before new', 'child new'],
    ['before new', 'parent new', true],
  ])
}) // atfork-09

t.test('what an after hook throws is a warning, and the others run', async (t) => {
  const { stdout, stderr, code } = await runForking(
    `${prelude}
    const no = () => { throw new Error('too late') }
    registerAtFork({ afterInParent: no, afterInChild: no })
    named('other')
    turn({ threads: 'caller' })`,
    singleThreaded,
  )
  t.equal(code, 0)
  t.equal(stdout, '["before other","child other"]\n["before other","parent other",true]\n')
  t.match(stderr, /AtForkWarning: a hook of registerAtFork threw Error: too late/)
})

t.test('a Worker has no forks to hook into', async (t) => {
  const source = `
    try { require('truefork').registerAtFork({ before() {} }) } catch ({ code }) {
      require('node:worker_threads').parentPort.postMessage(code)
    }`
  const message = new Promise((resolve) => new Worker(source, { eval: true }).on('message', resolve))
  t.equal(await message, 'ERR_WORKER_UNSUPPORTED_OPERATION')
})
