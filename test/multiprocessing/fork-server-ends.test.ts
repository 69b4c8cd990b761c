// Who ends with whom: workers, servers and owners.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { compareFdTables, fdTable, kill, P_PIDFD, pidfd_open, pidfd_send_signal, WEXITED } from 'truefork'
import type { ForkedWorker, ForkServer } from 'truefork/multiprocessing'
import { waitid } from 'truefork/promises'
import { withoutAllThreads } from '../support/fork'
import { cleanEnv, root } from '../support/program'
import { descriptorsOf, hasNoChild, hasNoWorker, listen, spareOf, startServer, workerModule } from './support/owner'

const notLinux = process.platform !== 'linux' && 'only Linux has pidfds and /proc'
t.setTimeout(120_000)

t.test('how a worker ends is told', async (t) => {
  const server = await startServer(t)
  for (const [name, args, exit] of [
    ['nothing', [], { code: 0, signal: null }],
    ['exit', [7], { code: 7, signal: null }],
    ['exitLater', [8], { code: 8, signal: null }],
    ['default', [], { code: 42, signal: null }],
    ['fail', [], { code: 1, signal: null }],
    ['failLater', [], { code: 1, signal: null }],
    ['raise', ['SIGTERM'], { code: null, signal: 'SIGTERM' }],
    ['raise', ['SIGKILL'], { code: null, signal: 'SIGKILL' }],
    ['raise', ['SIGSEGV'], { code: null, signal: 'SIGSEGV' }],
  ] as const) {
    const stdio = ['inherit', 'inherit', 'ignore'] as const
    const worker = await server.fork({ module: workerModule, export: name, args, stdio })
    t.same(await worker.exited, exit, `${name} ${args}`)
    t.equal(worker.isAlive(), false)
    t.equal(worker.kill(), false)
  }
})

t.test('what a function throws is printed', async (t) => {
  const server = await startServer(t)
  for (const [name, words] of [
    ['fail', /Error: it failed\n/],
    ['failLater', /Error: it failed later\n/],
  ] as const) {
    const { writeEnd, heard } = listen(t)
    await server.fork({ module: workerModule, export: name, stdio: ['inherit', 'inherit', writeEnd] })
    t.match(await heard(), words)
  }
})

t.test('a worker can be signaled, and lives until then', async (t) => {
  const server = await startServer(t)
  const { writeEnd, line } = listen(t)
  const worker = await server.fork({ module: workerModule, export: 'live', fds: [writeEnd] })
  await line()
  t.equal(worker.isAlive(), true)
  t.equal(worker.kill(0), true)
  t.throws(() => worker.kill('SIGNONE' as never), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => worker.kill(999), { code: 'EINVAL' })
  t.equal(worker.isAlive(), true)
  t.equal(worker.kill(), true)
  t.same(await worker.exited, { code: null, signal: 'SIGTERM' })
})

t.test('close ends living workers, deaf and busy ones too, and waits for those that are no daemons', async (t) => {
  const server = await startServer(t)
  const workers: ForkedWorker[] = []
  for (const name of ['live', 'liveDeaf', 'spin'] as const) {
    const { writeEnd, line } = listen(t)
    workers.push(await server.fork({ module: workerModule, export: name, fds: [writeEnd] }))
    await line()
  }
  const { writeEnd, line } = listen(t)
  const own = await server.fork({ module: workerModule, export: 'live', fds: [writeEnd], daemon: false })
  await line()
  const closing = server.close({ graceMs: 50 })
  await t.rejects(server.fork({ module: workerModule }), { code: 'ERR_FORK_SERVER_CLOSED' })
  const ends = await Promise.all(workers.map(({ exited }) => exited))
  t.same(
    ends.map(({ signal }) => signal),
    ['SIGTERM', 'SIGKILL', 'SIGTERM'],
  )
  t.equal(own.isAlive(), true)
  t.equal(own.kill('SIGINT'), true)
  await closing
  t.same(await own.exited, { code: null, signal: 'SIGINT' })
  await server.close()
  t.ok(hasNoChild())
})

t.test('a server that is killed takes its workers with it, and refuses', { skip: notLinux }, async (t) => {
  const server = await startServer(t)
  const workers: ForkedWorker[] = []
  for (const name of ['live', 'spin'] as const) {
    const { writeEnd, line } = listen(t)
    workers.push(await server.fork({ module: workerModule, export: name, fds: [writeEnd] }))
    await line()
  }
  const { writeEnd, line } = listen(t)
  const own = await server.fork({ module: workerModule, export: 'live', fds: [writeEnd], daemon: false })
  await line()
  t.teardown(() => own.kill('SIGKILL'))
  // Some of these may have begun.
  const pending = Promise.allSettled([1, 2, 3].map(() => server.fork({ module: workerModule, export: 'nothing' })))
  kill(server.pid, 'SIGSTOP')
  const more = Promise.allSettled([1, 2, 3].map(() => server.fork({ module: workerModule, export: 'nothing' })))
  kill(server.pid, 'SIGKILL')
  const died = { code: 'ERR_FORK_SERVER_DIED', message: `fork server ${server.pid} was ended by SIGKILL` }
  for (const outcome of await more) t.match(outcome, { status: 'rejected', reason: died })
  for (const { exited } of workers) await t.rejects(exited, died)
  for (const outcome of await pending) if (outcome.status === 'rejected') t.match(outcome.reason, died)
  t.equal(
    workers.some((worker) => worker.isAlive() || worker.kill()),
    false,
  )
  await t.rejects(server.fork({ module: workerModule }), died)
  t.equal(own.isAlive(), true, 'but not one that is no daemon')
  t.equal(own.kill(), true)
  await t.rejects(own.exited, died)
  await server.close()
  t.ok(hasNoChild())
})

/** Has a process's end awaited, however it is related. */
async function ended(pidfd: number): Promise<void> {
  try {
    await waitid(P_PIDFD as number, pidfd, WEXITED)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECHILD') throw error // its parent has waited for it
  }
}

/** An owner in a process of its own, with workers of each kind; then what `after` says. */
async function owner(
  t: Test,
  after: string,
): Promise<{ fds: Record<string, number>; line(): Promise<string>; end(): Promise<unknown> }> {
  const source = `
    const { ForkServer } = require('truefork/multiprocessing')
    const { fork, pipe } = require('truefork')
    const { readSync } = require('node:fs')
    const module = ${JSON.stringify(workerModule)}
    ForkServer.start({ preload: [module] }).then(async (server) => {
      const pids = { server: server.pid }
      const [readEnd, writeEnd] = pipe()
      for (const [name, daemon] of [['live', true], ['liveDeaf', true], ['spin', true], ['live', false]]) {
        const worker = await server.fork({ module, export: name, fds: [writeEnd], daemon, stdio: ['ignore', 'ignore', 'ignore'] })
        readSync(readEnd, Buffer.alloc(99)) // until it has said that it is ready
        pids[daemon ? name : 'own'] = worker.pid
      }
      console.log(JSON.stringify(pids))
      ${after}
    })`
  const child = spawn(process.execPath, ['-e', source], {
    cwd: root,
    env: cleanEnv(),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async (): Promise<string> => String((await lines.next()).value)
  const exit = once(child, 'exit')
  const pids = Object.entries(JSON.parse(await line()) as Record<string, number>)
  const fds = Object.fromEntries(pids.map(([name, pid]) => [name, pidfd_open(pid)]))
  t.teardown(() => endAll(Object.values(fds)))
  return { fds, line, end: () => exit }
}

function endAll(pidfds: readonly number[]): void {
  for (const pidfd of pidfds) {
    try {
      pidfd_send_signal(pidfd, 'SIGKILL')
    } catch {} // it has ended
    closeSync(pidfd)
  }
}

const waysToGo: Record<string, string> = {
  'is killed': `process.kill(process.pid, 'SIGKILL')`,
  'is killed while it is busy': `setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20); for (let i = 0; i < 9; i++) server.fork({ module, export: 'live', fds: [writeEnd] })`,
  'exits without a close': 'process.exit(0)',
  throws: `console.error = () => {}; process.on('uncaughtException', () => process.exit(1)); throw new Error('no')`,
}

for (const [words, way] of Object.entries(waysToGo)) {
  t.test(`an owner that ${words} leaves no server and no daemon`, { skip: notLinux }, async (t) => {
    const { fds, end } = await owner(t, way)
    await end()
    const { own, ...others } = fds
    for (const fd of Object.values(others)) await ended(fd)
    pidfd_send_signal(own as number, 0) // it lives, as it is no daemon
    pidfd_send_signal(own as number, 'SIGKILL')
    await ended(own as number)
    t.pass('all have ended')
  })
}

t.test(
  'a child that the owner leaves behind keeps nothing alive',
  { skip: notLinux || withoutAllThreads },
  async (t) => {
    const { fds, line, end } = await owner(
      t,
      `const child = fork()
    if (child === 0) return setInterval(() => {}, 1000)
    console.log(child)
    process.kill(process.pid, 'SIGKILL')`,
    )
    await end()
    const child = pidfd_open(Number(await line()))
    t.teardown(() => pidfd_send_signal(child, 'SIGKILL'))
    for (const name of ['server', 'live', 'spin']) await ended(fds[name] as number)
    pidfd_send_signal(fds['own'] as number, 'SIGKILL')
    t.pass('all have ended')
  },
)

t.test('the worker that is kept ready serves one request, and may end before', { skip: notLinux }, async (t) => {
  const server = await startServer(t)
  const first = await spareOf(server)
  const worker = await server.fork({ module: workerModule, export: 'live', fds: [], daemon: false })
  t.equal(worker.pid, first)
  worker.kill('SIGKILL')
  await worker.exited
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
    const spare = await spareOf(server)
    const pidfd = pidfd_open(spare)
    kill(spare, signal)
    await ended(pidfd)
    closeSync(pidfd)
    const other = await server.fork({ module: workerModule, export: 'exit', args: [7] })
    t.not(other.pid, spare)
    t.same(await other.exited, { code: 7, signal: null }, signal)
  }
})

for (const [words, end] of [
  ['is closed', (server: ForkServer) => server.close()],
  ['is killed', (server: ForkServer) => kill(server.pid, 'SIGKILL')],
] as const) {
  t.test(`the worker that is kept ready ends when its server ${words}`, { skip: notLinux }, async (t) => {
    const server = await startServer(t)
    const pidfd = pidfd_open(await spareOf(server))
    t.teardown(() => closeSync(pidfd))
    await end(server)
    await ended(pidfd)
    await server.close()
    t.ok(hasNoChild())
  })
}

t.test('two hundred workers leave nothing', { skip: notLinux }, async (t) => {
  const server = await startServer(t)
  const count = (): number => descriptorsOf(server).length
  await (await server.fork({ module: workerModule })).exited
  await spareOf(server)
  const [table, own] = [fdTable(), count()]
  let errors = 0
  const one = async (index: number): Promise<void> => {
    const kind = (['nothing', 'exit', 'raise', 'fail', 'missing'] as const)[index % 5]
    const args = kind === 'raise' ? ['SIGKILL'] : [index % 7]
    const options = { module: workerModule, export: kind, args, stdio: ['ignore', 'ignore', 'ignore'] as const }
    try {
      await (await server.fork(options)).exited
    } catch {
      errors++
    }
  }
  for (let index = 0; index < 200; index += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, offset) => one(index + offset)))
  }
  t.equal(errors, 40)
  t.equal(compareFdTables(table, fdTable()).text, '', 'no descriptor here')
  while (count() !== own) await sleep(5) // none in the server: it closes a connection after its last word
  t.ok(hasNoWorker(server), 'no zombie')
  await server.close()
  t.ok(hasNoChild())
})
