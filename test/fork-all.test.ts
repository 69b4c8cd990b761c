// fork() by default: every thread of the process lives on in the child.
import t from 'tap'
import { linesOf, runForking, withoutAllThreads } from './support/fork'

const skip = withoutAllThreads

t.test('an ordinary Node forks without a word, and both go on', { skip }, async (t) => {
  const { stdout, stderr, code } = await runForking(`
    const pid = fork()
    if (pid !== 0) console.log('child', waitpid(pid).status)
    setTimeout(() => console.log(pid === 0 ? 'in the child' : 'in the parent'), 1)
  `)
  t.same([stdout, stderr, code], ['in the child\nchild 0\nin the parent\n', '', 0])
})

t.test('forkHazards finds an ordinary Node safe', { skip }, async (t) => {
  const [report] = await linesOf(`
    const { forkHazards } = require('truefork')
    console.log(JSON.stringify([forkHazards(), forkHazards({ threads: 'all' })].map(({ safe, hazards }) => [safe, hazards])))
  `)
  t.same(report, [
    [true, []],
    [true, []],
  ])
})

// Name, blocked signals, processors and niceness of each thread, as the kernel has them.
const threads = `
  const threads = () => fs.readdirSync('/proc/self/task').map((tid) => {
    const status = fs.readFileSync('/proc/self/task/' + tid + '/status', 'utf8')
    const field = (name) => new RegExp('^' + name + ':\\\\s*(.*)$', 'm').exec(status)[1]
    const niceness = fs.readFileSync('/proc/self/task/' + tid + '/stat', 'utf8').split(') ')[1].split(' ')[16]
    return ['Name', 'SigBlk', 'Cpus_allowed_list'].map(field).concat(niceness).join(' ')
  }).sort()
  // A thread has its own signal mask again once it has returned to where it was stopped; and the child's inspector gets
  // a thread of its own, so that the copied one ends and may be gone between its being listed and its being read.
  const settled = (expected) => {
    const deadline = Date.now() + 10_000
    let seen = []
    do try { seen = threads() } catch (error) { if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error }
    while (seen.join() !== expected.join() && Date.now() < deadline)
    return seen
  }
`

// What gives a Node threads: a program that makes them and then calls next(). All have the thread pool, which a fork
// would otherwise start to bring it to rest; but as it starts, no fork looks for it.
const kinds: Record<string, string> = {
  'as it starts': 'next()',
  'with its thread pool': `fs.stat('/', next)`,
  'with its inspector': `require('node:inspector').open(0); fs.stat('/', next)`,
  'with two Workers': `const { Worker } = require('node:worker_threads')
    let online = 0
    for (let i = 0; i < 2; i++) new Worker('setInterval(() => {}, 1000)', { eval: true }).on('online', () => ++online === 2 && fs.stat('/', next))`,
  'with a niceness and a processor for each thread': `
    require('node:os').setPriority(7)
    for (const tid of fs.readdirSync('/proc/self/task')) require('node:child_process').spawnSync('taskset', ['-pc', '0', tid])
    next()`,
}

for (const [kind, source] of Object.entries(kinds)) {
  t.test(
    `the child of a Node ${kind} has all its threads: as many, of the same names and settings`,
    { skip },
    async (t) => {
      const [count, before, child, parent] = (await linesOf(`${threads}
      const next = () => {
        const before = threads()
        const pid = fork()
        if (pid === 0) { console.log(JSON.stringify(settled(before))); process.exit(0) }
        const seen = settled(before)
        assert.strictEqual(ending(pid), 0)
        console.log(JSON.stringify(before))
        console.log(JSON.stringify(seen))
        process.exit(0)
      }
      console.log(fs.readdirSync('/proc/self/task').length)
      ${source}
    `).then(([count, child, before, parent]) => [count, before, child, parent])) as [
        number,
        string[],
        string[],
        string[],
      ]
      t.ok(count > 1 && before.length >= count)
      t.same(child, before)
      t.same(parent, before)
    },
  )
}

t.test("each thread of the child bears an id of its own, and none of the parent's", { skip }, async (t) => {
  const lines = await linesOf(`
    const tids = () => fs.readdirSync('/proc/self/task').map(Number)
    const before = tids()
    const pid = fork()
    if (pid === 0) {
      const own = tids()
      console.log(own.some((tid) => before.includes(tid)), own.length === before.length, own.includes(process.pid))
      _exit(0)
    }
    waitpid(pid)
    console.log(JSON.stringify(tids()) === JSON.stringify(before))
  `)
  t.same(lines, ['false true true', true])
})

t.test('a thread that waited at the fork is woken in each of the two', { skip }, async (t) => {
  const lines = await linesOf(`
    const { Worker } = require('node:worker_threads')
    const word = new Int32Array(new SharedArrayBuffer(8))
    const worker = new Worker(\`
      const { workerData: word, parentPort } = require('node:worker_threads')
      Atomics.store(word, 1, 1)
      Atomics.wait(word, 0, 0)
      parentPort.postMessage('woken')
    \`, { eval: true, workerData: word })
    const look = setInterval(() => {
      if (Atomics.load(word, 1) === 0) return
      clearInterval(look)
      const pid = fork()
      worker.on('message', (text) => {
        console.log(pid === 0 ? 'child' : 'parent', text)
        if (pid !== 0) console.log(ending(pid))
      })
      Atomics.store(word, 0, 1)
      Atomics.notify(word, 0)
    }, 1)
  `)
  t.same(lines.sort(), [0, 'child woken', 'parent woken'].sort())
})

t.test('a child that calls exec or _exit needs no threads, and has none', { skip }, async (t) => {
  const lines = await linesOf(`
    const { execvp } = require('truefork')
    const pid = fork()
    if (pid === 0) execvp('sh', ['sh', '-c', 'ls /proc/$$/task | wc -l'])
    assert.strictEqual(ending(pid), 0)
    const other = fork()
    if (other === 0) _exit(9)
    console.log(ending(other))
  `)
  t.same(lines, [1, 9])
})
