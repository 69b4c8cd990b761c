// Process: what it tells, how it ends, who ends with whom, and what is left.
import { join } from 'node:path'
import t from 'tap'
import { withoutAllThreads } from '../support/fork'
import { type ProgramOptions, runNode, runProgram } from '../support/program'

t.setTimeout(120_000)

const prelude = `
const { readdirSync, readFileSync, writeSync } = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const mp = require('truefork/multiprocessing')
const { activeChildren, currentProcess, getContext, parentProcess, Process } = mp
const print = (value) => writeSync(1, JSON.stringify(value) + '\\n')
const codeOf = (call) => { try { return call() } catch (error) { return error.code } }
const run = async (target, options) => {
  const child = new Process({ target, ...options })
  child.start()
  await child.join()
  return child.exitCode
}
async function gone(pid) {
  for (;;) {
    try { if (/^State:\\s+[ZX]/m.test(readFileSync('/proc/' + pid + '/status', 'utf8'))) return true } catch { return true }
    await sleep(5)
  }
}
`

async function printed(source: string, options?: ProgramOptions): Promise<unknown[]> {
  const { code, signal, stdout, stderr } = await runProgram(`${prelude};(async () => {${source}})()`, options)
  if (code !== 0) throw new Error(`ended with ${code ?? signal}\n${stdout}\n${stderr}`)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

const skip = withoutAllThreads

t.test('exit codes are those of Python', { skip }, async (t) => {
  const codes = await printed(`
    print([
      await run(() => {}),
      await run(async () => { await sleep(1) }),
      await run(() => { throw new Error('thrown') }),
      await run(async () => { await sleep(1); throw undefined }),
      await run(() => process.exit(3)),
      await run(() => { process.exitCode = 4 }),
      await run(() => { setTimeout(() => process.exit(5), 1); return new Promise(() => {}) }),
      await run(() => { setTimeout(() => { throw new Error('later') }, 1); return new Promise(() => {}) }),
      await run(() => process.kill(process.pid, 'SIGKILL')),
      await run(() => { process.kill(process.pid, 'SIGTERM'); return new Promise(() => setTimeout(() => {}, 10_000)) }),
      await run(() => new Promise(() => {})),
      await run(() => { setInterval(() => {}, 10_000) }),
      await run(() => { process.on('exit', () => { process.exitCode = 6 }) }),
      await run(() => { process.on('uncaughtException', () => { process.exitCode = 8 }); throw new Error('dealt with') }),
      await run(undefined),
    ])`)
  t.same(codes, [[0, 0, 1, 1, 3, 4, 5, 1, -9, -15, 13, 0, 6, 8, 0]])
})

t.test('a Process tells of itself before, while and after it runs', { skip }, async (t) => {
  const facts = await printed(`
    const child = new Process({ target: () => new Promise(() => setInterval(() => {}, 1000)) })
    print([child.name, child.pid, child.exitCode, child.isAlive(), child.daemon])
    child.start()
    print([child.pid > 0, child.exitCode, child.isAlive(), activeChildren().length, activeChildren()[0] === child])
    print([await child.join(0), await child.join(5), codeOf(() => child.close()), codeOf(() => child.start())])
    child.kill()
    print([await child.join(), child.exitCode, child.isAlive(), activeChildren().length])
    child.terminate()
    child.close()
    print([child.name, codeOf(() => child.pid), codeOf(() => child.start()), await child.join().catch((e) => e.code)])
    const other = new Process({ name: 'other', daemon: true })
    print([other.name, other.daemon, await other.join().catch((e) => e.code), codeOf(() => other.kill())])
    print([new (class Crawler extends Process {})().name, new (getContext('spawn').Process)().name])
    print([currentProcess().name, currentProcess().pid === process.pid, parentProcess()])`)
  const state = 'ERR_INVALID_STATE'
  t.same(facts, [
    ['Process-1', null, null, false, false],
    [true, null, true, 1, true],
    [false, false, state, state],
    [true, -9, false, 0],
    ['Process-1', state, state, state],
    ['other', true, state, state],
    ['Crawler-3', 'SpawnProcess-4'],
    ['MainProcess', true, null],
  ])
})

t.test('bad arguments are refused before anything happens', async (t) => {
  const [codes] = await printed(`
    const bad = [null, 1, [], { target: 1 }, { target: null }, { target: {} }, { target: { module: 'm' } }, { args: 'x' },
      { name: 1 }, { daemon: 'yes' }]
    const child = new Process()
    print([
      bad.map((options) => codeOf(() => new Process(options))),
      await Promise.all(['1', -1, NaN, null].map((limit) => child.join(limit).catch((error) => error.code))),
      ['thread', 1, undefined, null].map((method) => codeOf(() => mp.setStartMethod(method))),
      codeOf(() => getContext('thread')),
    ])`)
  const type = 'ERR_INVALID_ARG_TYPE'
  t.same(codes, [
    Array(10).fill(type),
    [type, 'ERR_OUT_OF_RANGE', 'ERR_OUT_OF_RANGE', type],
    ['ERR_INVALID_ARG_VALUE', type, type, type],
    'ERR_INVALID_ARG_VALUE',
  ])
})

t.test('children have children, who know who they are', { skip }, async (t) => {
  const [facts] = await printed(`
    const parent = process.pid
    print(await run(async () => {
      const own = [currentProcess().name, currentProcess().pid === process.pid, parentProcess().name, parentProcess().pid === parent]
      print([...own, parentProcess().isAlive(), activeChildren().length])
      const code = await run(() => {
        print([currentProcess().name, parentProcess().name, parentProcess().isAlive()])
        process.exitCode = 9
      })
      process.exitCode = code
    }))`).then((lines) => [lines])
  t.same(facts, [['Process-1', true, 'MainProcess', true, true, 0], ['Process-1:1', 'Process-1', true], 9])
})

t.test("a class's attribute that a child changes stays as it was in the parent", { skip }, async (t) => {
  const lines = await printed(`
    class Counter extends Process {
      static count = 1
      run() { Counter.count++; print([Counter.count, this.extra, currentProcess() === this]) }
    }
    const child = new Counter()
    child.extra = 'own'
    child.start()
    await child.join()
    print([Counter.count, child.exitCode])`)
  t.same(lines, [
    [2, 'own', true],
    [1, 0],
  ])
})

t.test('all that a child has written comes, however slowly it is read', { skip }, async (t) => {
  const { stdout } = await runProgram(`${prelude}
    run(() => { process.stdout.write('x'.repeat(1_000_000)) })`)
  t.equal(stdout.length, 1_000_000)
})

t.test('two hundred quick children leave no zombie and no descriptor, whether joined or not', { skip }, async (t) => {
  const [facts] = await printed(
    `
    await run(() => {})
    const zombies = () => readdirSync('/proc/self/task').flatMap((tid) =>
      readFileSync('/proc/self/task/' + tid + '/children', 'utf8').split(' ').filter(Boolean)).length
    const before = readdirSync('/proc/self/fd').length
    const codes = []
    for (let round = 0; round < 20; round++) {
      const children = Array.from({ length: 10 }, (_, index) => new Process({ target: () => process.exit(index) }))
      for (const child of children) child.start()
      if (round % 2 === 0) await Promise.all(children.map((child) => child.join()))
      else while (zombies() > 0) await sleep(1)
      codes.push(...children.map(({ exitCode }) => exitCode))
    }
    print([codes.every((code, index) => code === index % 10), codes.length, zombies(), readdirSync('/proc/self/fd').length - before])`,
    { timeoutMs: 60_000 },
  )
  t.same(facts, [true, 200, 0, 0])
})

t.test('a program waits for its children, but not for daemons, which it ends', { skip }, async (t) => {
  const { code, stdout } = await runProgram(`${prelude}
    const forever = () => new Promise(() => setInterval(() => {}, 1000))
    const daemons = [forever, () => { process.on('SIGTERM', () => {}); return forever() }]
      .map((target) => new Process({ target, daemon: true }))
    for (const daemon of daemons) daemon.start()
    new Process({ target: async () => { await sleep(50); print('child') } }).start()
    process.on('exit', () => print('parent'))
    setTimeout(() => print(daemons.map(({ pid }) => pid)), 300).unref()
    print(daemons.map(({ pid }) => pid))`)
  t.equal(code, 0)
  const lines = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  t.same(lines.slice(1, 3), ['child', 'parent'])
  for (const pid of lines[0]) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'no daemon is left')
})

for (const busy of [false, true]) {
  t.test(`a daemon that is ${busy ? 'busy' : 'idle'} is killed with its owner`, { skip }, async (t) => {
    const [, facts] = await printed(`
      const { pipe } = require('truefork')
      const [readEnd, writeEnd] = pipe()
      const owner = new Process({ target: async () => {
        const daemon = new Process({ daemon: true, target: () => {
          writeSync(writeEnd, String(process.pid))
          ${busy ? 'for (;;);' : 'return new Promise(() => setInterval(() => {}, 1000))'}
        } })
        daemon.start()
        await daemon.join()
      } })
      owner.start()
      const bytes = Buffer.alloc(20)
      const pid = Number(bytes.toString('utf8', 0, require('node:fs').readSync(readEnd, bytes)))
      print('begun')
      owner.kill()
      await owner.join()
      print([owner.exitCode, pid > 0, await gone(pid)])`)
    t.same(facts, [-9, true, true])
  })
}

t.test('a daemon starts no Process', { skip }, async (t) => {
  const facts = await printed(`
    print(await run(() => print(codeOf(() => new Process({ target: () => {} }).start())), { daemon: true }))`)
  t.same(facts, ['ERR_INVALID_STATE', 0])
})

t.test('no wait of the program takes a Process', { skip }, async (t) => {
  const [facts] = await printed(`
    const { wait, waitpid } = require('truefork')
    const child = new Process({ target: () => process.exit(7) })
    child.start()
    const codes = [codeOf(() => wait()), codeOf(() => waitpid(-1)), codeOf(() => waitpid(child.pid))]
    await child.join()
    print([...codes, child.exitCode])`)
  t.same(facts, ['ECHILD', 'ECHILD', 'ECHILD', 7])
})

t.test('in a Worker nothing is started', async (t) => {
  const [facts] = await printed(`
    const { Worker } = require('node:worker_threads')
    const source = "const { Process } = require('truefork/multiprocessing');" +
      "try { new Process({ target: () => {} }).start() } catch (error) { require('node:worker_threads').parentPort.postMessage(error.code) }"
    new Worker(source, { eval: true }).on('message', print)`)
  t.equal(facts, 'ERR_WORKER_UNSUPPORTED_OPERATION')
})

// --- spawn -------------------------------------------------------------------------------------------

const spawned = `
  const { currentProcess, parentProcess, Process, setStartMethod, getStartMethod } = require('truefork/multiprocessing')
  console.log('loaded', require.main === module)
  exports.tell = (...args) => console.log(JSON.stringify(args), currentProcess().name, parentProcess().pid === process.ppid, getStartMethod())
  exports.Teller = class Teller extends Process { run() { console.log(this.word, this.name) } }
  function hidden() {}
  if (require.main === module) {
    setStartMethod('spawn')
    exports.late = function late() {}
    const run = async (child) => { child.start(); await child.join(); console.log('exit', child.exitCode) }
    const refused = (options) => { try { new Process(options).start() } catch (error) { console.log(error.code, error.message) } }
    ;(async () => {
      await run(new Process({ target: exports.tell, args: [1, new Map([[2, [3n]]]).size, { a: null }] }))
      await run(Object.assign(new exports.Teller(), { word: 'hello' }))
      await run(new Process({ target: exports.late }))
      await run(new Process({ target: hidden }))
      await run(new Process({ target: { module: 'node:process', export: 'exit' }, args: [6] }))
      refused({ target: exports.tell, args: [1, { lock: [() => {}] }] })
      refused({ target: new Function('') })
    })()
  }
`

t.test('spawn imports the module of its target in a fresh Node', async (t) => {
  const source = spawned.replaceAll("require('truefork/", `require('${join(__dirname, '..', '..', '..', 'dist')}/`)
  const program = join(t.testdir({ 'main.cjs': source }), 'main.cjs')
  const { stdout, stderr, code } = await runNode([program], { timeoutMs: 60_000 })
  t.equal(code, 0)
  t.same(
    stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.slice(0, 100)),
    [
      'loaded true',
      'loaded false',
      '[1,1,{"a":null}] Process-1 true spawn',
      'exit 0',
      'loaded false',
      'hello Teller-2',
      'exit 0',
      'loaded false',
      'exit 1',
      'loaded false',
      'exit 1',
      'exit 6',
      "ERR_INVALID_ARG_VALUE The property 'args[1].lock[0]' can't be cloned for another process: export the",
      "ERR_INVALID_ARG_VALUE The property 'options.target' must be exported by a module, as another process",
    ],
  )
  t.match(stderr, `AttributeError: Can't get attribute 'late' on module '${program}'`)
  t.match(stderr, `AttributeError: Can't get attribute 'hidden' on module '${program}'`)
})

t.test('spawn finds what an ES module exports, and refuses a module that starts as it is imported', async (t) => {
  const multiprocessing = join(__dirname, '..', '..', '..', 'dist', 'multiprocessing.mjs')
  const folder = t.testdir({
    'target.mjs': `export default function work(word) { console.log('work', word) }
      export { other as renamed }
      function other() { console.log('other') }`,
    'main.mjs': `import { Process, setStartMethod } from '${multiprocessing}'
      import work, { renamed } from './target.mjs'
      setStartMethod('spawn', { force: true })
      for (const [target, args] of [[work, ['x']], [renamed, []], [own, []]]) {
        const child = new Process({ target, args })
        child.start()
        await child.join()
        console.log(child.exitCode)
      }
      export function own() {}`,
  })
  const { stdout, stderr } = await runNode([join(folder, 'main.mjs')], { timeoutMs: 60_000 })
  t.same(stdout.split('\n').filter(Boolean), ['work x', '0', 'other', '0', '1'])
  t.match(stderr, 'An attempt has been made to start a new process before the current process has finished')
})
