// The start method 'forkserver': Processes that a clean Node forks, which nobody sees.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Outcome, root, runNode } from '../support/program'

const notLinux = process.platform !== 'linux' && 'only Linux has /proc'
t.setTimeout(120_000)

const modules = {
  'targets.cjs': `
    const { readSync, writeSync } = require('node:fs')
    const { currentProcess, parentProcess } = require('truefork/multiprocessing')
    const loadedIn = process.pid
    const say = (facts) => writeSync(1, JSON.stringify(facts) + '\\n')
    exports.tell = (...args) => {
      const { pid, ppid, argv, env } = process
      const parent = parentProcess()
      const stdin = readSync(0, Buffer.alloc(9))
      say({ args, pid, ppid, loadedIn, name: currentProcess().name, argv: argv.slice(2), word: env.WORD, cwd: process.cwd(), stdin, parent: [parent.name, parent.pid, parent.isAlive()] })
    }
    exports.random = () => say(Math.random())
    exports.exit = (code) => process.exit(code)
    exports.fail = () => { throw new Error('it failed') }
    exports.later = async (code) => { await new Promise((resolve) => setTimeout(resolve, 5)); process.exitCode = code }
    exports.raise = (signal) => { process.kill(process.pid, signal); for (;;); }
    exports.live = () => new Promise((resolve) => setTimeout(resolve, 60_000))
    exports.nothing = () => {}`,
  'throws.cjs': `throw new Error('not today')`,
}

/** Runs a program beside the modules, that has all of this at hand. */
async function run(t: Test, source: string): Promise<Outcome & { facts: unknown[] }> {
  const directory = t.testdir({ ...modules, node_modules: { truefork: t.fixture('symlink', root) } })
  const program = join(directory, 'program.cjs')
  const prelude = `
    const assert = require('node:assert')
    const mp = require('truefork/multiprocessing')
    const { Process } = mp
    const { kill, pidfd_open, _exit } = require('truefork')
    const targets = require('./targets.cjs')
    mp.setStartMethod('forkserver')
    const end = async (target, args, options) => {
      const child = new Process({ target, args, ...options })
      child.start()
      assert.equal(await child.join(), true)
      return child.exitCode
    }
    const say = (facts) => require('node:fs').writeSync(1, JSON.stringify(facts) + '\\n')
    if (require.main === module) main()
  `
  writeFileSync(program, `${prelude}\nasync function main() {\n${source}\n}\n`)
  const childless = join(root, 'out', 'test', 'examples', 'childless.js')
  const outcome = await runNode(['--require', childless, program, 'an argument'], { env: { WORD: 'from the owner' } })
  return {
    ...outcome,
    facts: outcome.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as unknown),
  }
}

t.test('a target gets its arguments, and knows who it is', async (t) => {
  const { facts, stderr, code } = await run(
    t,
    `const child = new Process({ target: targets.tell, args: [1, { two: [2] }], name: 'Teller' })
    child.start()
    say([process.pid, child.pid, process.cwd()])
    await child.join()`,
  )
  t.same({ stderr, code }, { stderr: '', code: 0 })
  const [owner, pid, cwd] = facts.find(Array.isArray) as unknown[]
  const told = facts.find((fact) => !Array.isArray(fact)) as Record<string, unknown>
  t.match(told, {
    args: [1, { two: [2] }],
    pid,
    loadedIn: pid,
    name: 'Teller',
    argv: ['an argument'],
    word: 'from the owner',
    cwd,
    stdin: 0,
    parent: ['MainProcess', owner, true],
  })
  t.not(told['ppid'], owner, 'a clean process has forked it')
})

t.test('one server forks all, and each child is its own', async (t) => {
  const { facts } = await run(
    t,
    `for (let count = 0; count < 3; count++) await end(targets.tell)
    for (let count = 0; count < 3; count++) await end(targets.random)`,
  )
  const [a, b, c, ...numbers] = facts as [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]
  t.equal(new Set([a['ppid'], b['ppid'], c['ppid']]).size, 1)
  t.equal(new Set([a['pid'], b['pid'], c['pid']]).size, 3)
  t.equal(new Set(numbers).size, 3)
})

t.test('how a child ends is its exit code', async (t) => {
  const { facts, stderr } = await run(
    t,
    `say(await end(targets.nothing))
    say(await end(targets.exit, [7]))
    say(await end(targets.later, [8]))
    say(await end(targets.fail))
    say(await end(targets.raise, ['SIGTERM']))
    say(await end(targets.raise, ['SIGKILL']))`,
  )
  t.same(facts, [0, 7, 8, 1, -15, -9])
  t.match(stderr, /Error: it failed\n {4}at exports\.fail/)
})

t.test('join, isAlive, terminate and kill are those of every Process', async (t) => {
  const { facts } = await run(
    t,
    `const children = [1, 2].map(() => new Process({ target: targets.live }))
    for (const child of children) child.start()
    say(mp.activeChildren().length)
    say([await children[0].join(10), children[0].isAlive(), children[0].exitCode])
    children[0].terminate()
    children[1].kill()
    say([await children[0].join(), children[0].isAlive(), children[0].exitCode])
    while (children[1].isAlive()); // without the event loop
    say(children[1].exitCode)
    const quick = new Process({ target: targets.exit, args: [3] })
    quick.start()
    while (quick.exitCode === null);
    say(quick.exitCode)
    say(mp.activeChildren().length)`,
  )
  t.same(facts, [2, [false, true, null], [true, false, -15], -9, 3, 0])
})

t.test('setForkserverPreload has modules loaded before the fork', async (t) => {
  const { facts } = await run(
    t,
    `mp.setForkserverPreload([require.resolve('./targets.cjs')])
    await end(targets.tell)`,
  )
  const [{ loadedIn, ppid }] = facts as [Record<string, unknown>]
  t.equal(loadedIn, ppid)
})

t.test('a module that can not be preloaded is told by start', async (t) => {
  const { facts, code } = await run(
    t,
    `mp.setForkserverPreload([require.resolve('./throws.cjs')])
    for (let count = 0; count < 2; count++) {
      try { new Process({ target: targets.nothing }).start() } catch (error) { say([error.name, error.code, error.cause.message]) }
    }
    try { mp.setForkserverPreload('x') } catch (error) { say(error.code) }`,
  )
  const error = ['ForkServerError', 'ERR_FORK_SERVER_PRELOAD', 'not today']
  t.same({ facts, code }, { facts: [error, error, 'ERR_INVALID_ARG_TYPE'], code: 0 })
})

t.test('what can not be sent is named, and no child is made', async (t) => {
  const { facts } = await run(
    t,
    `for (const options of [{ target: targets.tell, args: [1, { call() {} }] }, { target: new Function('') }]) {
      try { new Process(options).start() } catch (error) { say([error.code, error.message]) }
    }
    say(mp.activeChildren().length)`,
  )
  t.match(facts, [['ERR_INVALID_ARG_VALUE', /args\[1\]\.call/], ['ERR_INVALID_ARG_VALUE', /options\.target/], 0])
})

t.test(
  'a server that is killed takes its children with it, and another one is started',
  { skip: notLinux },
  async (t) => {
    const { facts } = await run(
      t,
      `const daemon = new Process({ target: targets.live, daemon: true })
    daemon.start()
    const server = Number(require('node:fs').readFileSync('/proc/' + daemon.pid + '/stat', 'utf8').split(' ')[3])
    const killAndSee = (pid) => {
      kill(pid, 'SIGKILL')
      while (!/State:\\s+Z/.test(require('node:fs').readFileSync('/proc/' + pid + '/status', 'utf8')));
    }
    killAndSee(server)
    say([await daemon.join(), daemon.exitCode])
    say(await end(targets.exit, [5]))
    const last = Number(require('node:fs').readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').split(' ')[0])
    killAndSee(last)
    say(await end(targets.exit, [6]))`,
    )
    t.same(facts, [[true, 255], 5, 6])
  },
)

t.test('the owner waits for its children, but not for daemons', async (t) => {
  const { facts, code } = await run(
    t,
    `new Process({ target: targets.live, daemon: true }).start()
    new Process({ target: targets.tell, args: ['the last'] }).start()`,
  )
  t.match({ facts, code }, { facts: [{ args: ['the last'] }], code: 0 })
})
