// A forked child is debugged as every Node is, and its parent's debuggers don't notice that it is there.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { Debuggee } from './support/debuggee'
import { Debugger } from './support/debugger'
import { linesOf, singleThreaded, withoutAllThreads } from './support/fork'
import { root } from './support/program'

const skip = withoutAllThreads
const inspect = { nodeOptions: ['--inspect=0'] }

// Line 2 of a script of its own, called again and again.
const loop = `
  require('node:vm').runInThisContext(\`globalThis.work = (number) => {
    const doubled = number * 2
    const increased = doubled + 1
    return increased
  }\`, { filename: '/work.js' })
  let rounds = 0
  setInterval(() => {
    work(20)
    rounds++
  }, 1)
`

/** Sets a breakpoint in the work of `loop`, and follows it to the next line and on. */
async function stopStepGoOn(t: Test, client: Debugger): Promise<void> {
  await client.send('Debugger.enable')
  const { breakpointId } = await client.send('Debugger.setBreakpointByUrl', { url: 'file:///work.js', lineNumber: 1 })
  const [stopped] = (await client.event('Debugger.paused'))['callFrames']
  t.same([stopped.functionName, stopped.location.lineNumber], ['globalThis.work', 1])
  const look = async (callFrameId: string, expression: string) =>
    (await client.send('Debugger.evaluateOnCallFrame', { callFrameId, expression }))['result'].value
  t.equal(await look(stopped.callFrameId, 'number'), 20)

  await client.send('Debugger.stepOver')
  const [next] = (await client.event('Debugger.paused'))['callFrames']
  t.equal(next.location.lineNumber, 2)
  t.equal(await look(next.callFrameId, 'doubled'), 40)

  await client.send('Debugger.removeBreakpoint', { breakpointId })
  await client.send('Debugger.resume')
  t.ok(await client.evaluate('globalThis.before = process.uptime(), true'), 'it goes on')
}

const pidOf = (client: Debugger): Promise<unknown> => client.evaluate('process.pid')

t.test(
  'under --inspect the child has a port of its own, and the parent keeps its port and its session',
  { skip },
  async (t) => {
    const parent = Debuggee.start(
      t,
      `${loop} child = () => say(process.pid, inspector.url(), process.debugPort)`,
      inspect,
    )
    const url = await parent.url()
    await parent.ready()
    const inParent = await Debugger.connect(url)
    await inParent.send('Debugger.enable')
    const pid = await inParent.evaluate('go()')
    const childUrl = await parent.url()
    t.equal(await parent.line(), `${pid} ${childUrl} ${new URL(childUrl).port}`)
    t.not(new URL(childUrl).port, new URL(url).port)

    const inChild = await Debugger.connect(childUrl)
    t.equal(await pidOf(inChild), pid)
    await inChild.send('Debugger.enable')
    await inChild.send('Debugger.pause')
    await inChild.event('Debugger.paused')
    t.equal(await pidOf(inParent), parent.pid, 'the parent answers while the child stands')
    await inChild.send('Debugger.resume')
    await stopStepGoOn(t, inChild)
    await stopStepGoOn(t, inParent)

    process.kill(pid as number, 'SIGKILL')
    await inChild.ended
    t.equal(await pidOf(inParent), parent.pid)
    inParent.close()
    t.equal(await inParent.ended, 'closed')
  },
)

t.test("who connects to the parent's port reaches the parent, and nobody once it has ended", { skip }, async (t) => {
  const parent = Debuggee.start(t, `child = () => say('forked')`, inspect)
  const url = await parent.url()
  await parent.ready()
  const first = await Debugger.connect(url)
  const pid = await first.evaluate('go()')
  await parent.line()
  for (let count = 0; count < 20; count++) {
    const client = await Debugger.connect(url)
    t.equal(await pidOf(client), parent.pid)
    client.close()
    t.equal(await client.ended, 'closed')
  }
  await parent.killAlone()
  await first.ended
  await t.rejects(Debugger.connect(url), { code: 'ECONNREFUSED' })
  t.equal(await pidOf(await parent.attach()), pid, 'the child is there')
})

t.test(
  'a busy session of the parent loses nothing by forks, and the children say nothing of its end',
  { skip },
  async (t) => {
    const parent = Debuggee.start(t, 'child = () => _exit(0)', inspect)
    const client = await parent.attach()
    await parent.ready()
    await client.send('Runtime.enable')
    await client.evaluate(`{
    let left = 15
    const timer = setInterval(() => {
      console.debug('forking')
      waitpid(go())
      if (--left === 0) clearInterval(timer)
    }, 1)
    globalThis.forked = () => left === 0
  }`)
    while (!(await client.evaluate('forked()'))) t.equal(await pidOf(client), parent.pid)
    for (let count = 0; count < 15; count++) {
      t.equal((await client.event('Runtime.consoleAPICalled'))['args'][0].value, 'forking')
      await parent.url()
    }
    t.notMatch(parent.unread(), /ending/)
  },
)

t.test('nor does it matter that the parent has read half of what its debugger says', { skip }, async (t) => {
  const parent = Debuggee.start(t, `child = () => say('forked', process.pid); process.on('SIGUSR2', go)`, inspect)
  const client = await parent.attach()
  await parent.ready()
  for (let count = 0; count < 3; count++) {
    const finish = client.begin('Runtime.evaluate', { expression: 'process.pid' })
    process.kill(parent.pid, 'SIGUSR2')
    const [, pid] = (await parent.line()).split(' ')
    t.equal(await pidOf(await parent.attach()), Number(pid))
    t.equal((await finish())['result'].value, parent.pid)
  }
})

t.test('each of many children has its own, and its children too', { skip }, async (t) => {
  const parent = Debuggee.start(t, `inspector.open(0, '127.0.0.1'); say(inspector.url())`)
  const urls = [await parent.url()]
  t.equal(await parent.line(), urls[0])
  await parent.ready()
  const inParent = await Debugger.connect(urls[0] as string)
  const pids = [parent.pid]
  let last = inParent
  for (const forking of [inParent, inParent, inParent, 'last', 'last'] as const) {
    pids.push((await (forking === 'last' ? last : forking).evaluate('go()')) as number)
    urls.push(await parent.url())
    last = await Debugger.connect(urls.at(-1) as string)
    t.equal(await last.evaluate('inspector.url()'), urls.at(-1))
    t.equal(await pidOf(last), pids.at(-1))
  }
  t.equal(new Set(urls.map((url) => new URL(url).port)).size, 6)
  t.equal(await inParent.evaluate('inspector.url()'), urls[0])
})

t.test('the child stops at no breakpoint, and no step, of its parent', { skip }, async (t) => {
  const parent = Debuggee.start(
    t,
    `require('node:vm').runInThisContext(\`globalThis.twice = (fork, say) => {
      const pid = fork()
      const done = pid
      say('went on', pid)
      return done
    }\`, { filename: '/twice.js' })
    globalThis.start = () => { twice(fork, say) }`,
    inspect,
  )
  const client = await parent.attach()
  await parent.ready()
  await client.send('Debugger.enable')
  await client.send('Debugger.setBreakpointByUrl', { url: 'file:///twice.js', lineNumber: 1 })
  await client.send('Debugger.setBreakpointByUrl', { url: 'file:///twice.js', lineNumber: 3 })
  const started = client.send('Runtime.evaluate', { expression: 'start()' })
  await client.event('Debugger.paused')
  await client.send('Debugger.stepOver')
  t.equal((await client.event('Debugger.paused'))['callFrames'][0].location.lineNumber, 2)
  t.equal(await parent.line(), 'went on 0', 'the child')
  await client.send('Debugger.resume')
  t.equal((await client.event('Debugger.paused'))['callFrames'][0].location.lineNumber, 3)
  await client.send('Debugger.resume')
  t.match(await parent.line(), /^went on [1-9]/)
  await started
})

t.test('nor does it stay at one that it comes to before its sessions have ended', { skip }, async (t) => {
  const file = join(root, 'dist', 'safety', 'child-state.js')
  const lines = readFileSync(file, 'utf8').split('\n')
  const parent = Debuggee.start(t, `child = () => say('forked')`, inspect)
  const client = await parent.attach()
  await parent.ready()
  await client.send('Debugger.enable')
  const lineNumber = lines.findIndex((line) => line.includes(`(process, 'pid'`)) // reached by a child alone
  t.not(lineNumber, -1)
  await client.send('Debugger.setBreakpointByUrl', { url: pathToFileURL(file).href, lineNumber })
  const pid = await client.evaluate('go()')
  t.equal(await parent.line(), 'forked')
  t.equal(await pidOf(await parent.attach()), pid)
})

t.test('forked by a debugger while its parent is paused, it goes on', { skip }, async (t) => {
  const parent = Debuggee.start(t, `${loop} child = () => setTimeout(() => say('goes on'), 1)`, inspect)
  const client = await parent.attach()
  await parent.ready()
  await client.send('Debugger.enable')
  await client.send('Debugger.setBreakpointByUrl', { url: 'file:///work.js', lineNumber: 1 })
  const [{ callFrameId }] = (await client.event('Debugger.paused'))['callFrames']
  const { result } = await client.send('Debugger.evaluateOnCallFrame', { callFrameId, expression: 'go()' })
  t.equal(await parent.line(), 'goes on')
  t.equal(await pidOf(await parent.attach()), result.value)
  t.equal(await pidOf(client), parent.pid, 'the parent is still paused, and answers')
})

t.test('SIGUSR1 opens it in a child, whatever port its parent has', { skip }, async (t) => {
  const port = await freePort()
  const parent = Debuggee.start(t, `child = () => say('forked'); process.on('SIGUSR2', go)`, {
    nodeOptions: [`--inspect-port=${port}`],
  })
  await parent.ready()
  process.kill(parent.pid, 'SIGUSR2')
  await parent.line()
  process.kill(parent.pid, 'SIGUSR1')
  const inParent = await parent.attach()
  const pid = Number(
    await inParent.evaluate(`require('node:fs').readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8')`),
  )
  process.kill(pid, 'SIGUSR1')
  const inChild = await parent.attach()
  t.same([await pidOf(inParent), await pidOf(inChild)], [parent.pid, pid])
  t.equal(await inParent.evaluate('process.debugPort'), port)
  t.equal(await inChild.evaluate('process.debugPort'), 10_000 + (pid % 22_768))
})

t.test('so has a child that runs one function and nothing of what its parent was at', { skip }, async (t) => {
  const parent = Debuggee.start(
    t,
    `const { forkToRun } = require(${JSON.stringify(join(root, 'dist', 'multiprocessing', 'fork-to-run.js'))})
    globalThis.run = () => forkToRun(() => { say('runs', inspector.url()); setInterval(() => {}, 1000) })`,
    inspect,
  )
  const inParent = await parent.attach()
  await parent.ready()
  const pid = await inParent.evaluate('run()')
  const url = await parent.url()
  t.equal(await parent.line(), `runs ${url}`)
  t.equal(await pidOf(await Debugger.connect(url)), pid)
  t.equal(await pidOf(inParent), parent.pid)
})

t.test('a child that waits for a debugger goes on when it is told to', { skip }, async (t) => {
  const parent = Debuggee.start(
    t,
    `child = () => { inspector.open(0); inspector.waitForDebugger(); say('goes on') }; go()`,
  )
  const client = await parent.attach()
  let waits = true
  const line = parent.line().finally(() => {
    waits = false
  })
  // Node tells its port before it waits: a word that comes too soon is lost.
  while (waits) await client.send('Runtime.runIfWaitingForDebugger')
  t.equal(await line, 'goes on')
})

t.test('under --inspect-brk the parent alone waits at its start', { skip }, async (t) => {
  const parent = Debuggee.start(t, `child = () => say('forked'); go()`, { nodeOptions: ['--inspect-brk=0'] })
  const client = await parent.attach()
  await client.send('Debugger.enable')
  await client.send('Runtime.runIfWaitingForDebugger')
  await client.event('Debugger.paused')
  await client.send('Debugger.resume')
  t.equal(await parent.line(), 'forked')
  t.not(await pidOf(await parent.attach()), parent.pid)
  t.equal(await pidOf(client), parent.pid)
})

t.test('Workers are debugged in parent and child', { skip }, async (t) => {
  const parent = Debuggee.start(
    t,
    `const { Worker } = require('node:worker_threads')
    new Worker("setInterval(() => {}, 1000); globalThis.mark = 'worker'; require('node:worker_threads').parentPort.postMessage('')", { eval: true }).on('message', () => say('online'))`,
    inspect,
  )
  const inParent = await parent.attach()
  await parent.line()
  const answerOf = async (client: Debugger) => {
    const { sessionId } = await client.event('NodeWorker.attachedToWorker')
    const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: 'mark + process.pid' } })
    await client.send('NodeWorker.sendMessageToWorker', { sessionId, message })
    return JSON.parse((await client.event('NodeWorker.receivedMessageFromWorker'))['message']).result.result.value
  }
  await inParent.send('NodeWorker.enable', { waitForDebuggerOnStart: false })
  t.equal(await answerOf(inParent), `worker${parent.pid}`)
  const pid = await inParent.evaluate('go()')
  const inChild = await parent.attach()
  t.equal(await pidOf(inChild), pid)
  await inChild.send('NodeWorker.enable', { waitForDebuggerOnStart: false })
  t.match(await answerOf(inChild), /^worker\d+$/)
  t.equal(await pidOf(inParent), parent.pid)
})

t.test("node:inspector's own sessions, and a profile under way, go on in both", { skip }, async (t) => {
  const lines = await linesOf(`
    const { Session } = require('node:inspector')
    const session = new Session()
    session.connect()
    session.post('Profiler.enable')
    session.post('Profiler.start')
    const pid = fork()
    for (let i = 0, end = Date.now() + 20; Date.now() < end; i++) Math.sqrt(i)
    session.post('Runtime.evaluate', { expression: '6 * 7' }, (error, { result }) => {
      session.post('Profiler.stop', (failure, { profile }) => {
        console.log(JSON.stringify([error, result.value, failure, profile.nodes.length > 0]))
        if (pid !== 0) console.log(ending(pid))
      })
    })
  `)
  t.same(lines, [[null, 42, null, true], [null, 42, null, true], 0])
})

t.test('parent and child each write their coverage', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'truefork-coverage-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [pids] = await linesOf('const pid = fork(); if (pid) { console.log(process.pid, pid); waitpid(pid) }', {
    env: { NODE_V8_COVERAGE: folder },
  })
  const writers = readdirSync(folder).map((name) => name.split('-')[1])
  t.same(writers.sort(), String(pids).split(' ').sort())
})

t.test('the child of the calling thread alone has no inspector: it neither hangs nor holds the port', async (t) => {
  const parent = Debuggee.start(
    t,
    `Object.assign(options, { threads: 'caller', accept: ['inspector-open'] })
    child = () => { say('forked', process.pid); setTimeout(() => say('lives'), 100) }`,
    { nodeOptions: ['--inspect=0', ...(singleThreaded.nodeOptions ?? [])] },
  )
  const url = await parent.url()
  await parent.ready()
  const client = await Debugger.connect(url)
  const pid = await client.evaluate('go()')
  t.equal(await parent.line(), `forked ${pid}`)
  t.equal(await parent.line(), 'lives')
  t.equal(await pidOf(client), parent.pid)
  await parent.killAlone()
  t.equal(await client.ended, 'cut off')
  await t.rejects(Debugger.connect(url), { code: 'ECONNREFUSED' })
})

t.test('and opens one of its own where its parent has none', async (t) => {
  const parent = Debuggee.start(
    t,
    `options.threads = 'caller'; child = () => inspector.open(0); say(go())`,
    singleThreaded,
  )
  const client = await parent.attach()
  t.equal(await pidOf(client), Number(await parent.line()))
})

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
