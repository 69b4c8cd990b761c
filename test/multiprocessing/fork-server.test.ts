// What a worker of a fork server is given, and what it has of others.
import { closeSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { fdTable, O_CREAT, O_RDWR } from 'truefork'
import { runForking, withoutAllThreads } from '../support/fork'
import { cleanEnv } from '../support/program'
import { listen, reportOf, startServer, workerModule } from './support/owner'

t.setTimeout(120_000)

t.test('a worker calls the export with its arguments, and its descriptors last', async (t) => {
  const server = await startServer(t)
  const args = [1, 'two', { three: [3] }, null]
  const facts = await reportOf(t, server, { args })
  t.same(facts.args.slice(0, -1), args)
  t.match(facts.args.at(-1), [Number])
  t.equal(facts.ppid, server.pid)
  t.not(facts.pid, server.pid)
  t.equal(facts.argv[1], workerModule)
})

t.test('structured clone keeps what JSON drops', async (t) => {
  const server = await startServer(t)
  const { writeEnd, heard } = listen(t)
  const module = join(t.testdir({ 'm.mjs': clonedModule }), 'm.mjs')
  const args = [new Map([[1, new Set([2])]]), new Date(3), 4n, Buffer.from('five'), undefined]
  await server.fork({ module, export: 'describe', args, fds: [writeEnd] })
  t.equal(await heard(), 'Map 1 Set 2 Date 3 bigint 4 five undefined')
})

const clonedModule = `
import { writeSync } from 'node:fs'
export function describe(map, date, bigint, bytes, nothing, [fd]) {
  const [[key, set]] = map
  const words = ['Map', key, set.constructor.name, ...set, date.constructor.name, +date, typeof bigint, bigint]
  writeSync(fd, [...words, Buffer.from(bytes), nothing].join(' ') + (nothing === undefined ? 'undefined' : ''))
}`

t.test('without `fds` the function gets its arguments alone', async (t) => {
  const server = await startServer(t)
  const module = join(t.testdir({ 'm.cjs': 'exports.count = (...args) => process.exit(args.length)' }), 'm.cjs')
  for (const [args, code] of [
    [undefined, 0],
    [['a', 'b'], 2],
  ] as const) {
    const worker = await server.fork({ module, export: 'count', args })
    t.same(await worker.exited, { code, signal: null })
  }
  const withNone = await server.fork({ module, export: 'count', fds: [] })
  t.same(await withNone.exited, { code: 1, signal: null }, 'an empty list is a list')
})

t.test('preloaded modules are warm, and each worker has its own memory', async (t) => {
  const server = await startServer(t)
  const facts = await Promise.all([1, 2, 3].map(() => reportOf(t, server)))
  for (const { loadedIn, calls } of facts) t.same([loadedIn, calls], [server.pid, 1])
  t.equal(new Set(facts.map(({ random: [number] }) => number)).size, 3, 'Math.random differs')
  t.equal(new Set(facts.map(({ random: [, uuid] }) => uuid)).size, 3, 'so do UUIDs')
})

t.test('a module that is not preloaded the worker loads for itself', async (t) => {
  const server = await startServer(t, { preload: [] })
  const { loadedIn, pid } = await reportOf(t, server)
  t.equal(loadedIn, pid)
})

t.test('nothing of the server is alive in a worker', async (t) => {
  const server = await startServer(t)
  const others = [listen(t), listen(t)]
  for (const { writeEnd } of others) await server.fork({ module: workerModule, export: 'live', fds: [writeEnd] })
  const { sockets, listeners, resources } = await reportOf(t, server, { stdio: ['ignore', 'ignore', 'ignore'] })
  t.equal(sockets, 0, 'no socket')
  t.notOk(
    listeners.some((name) => name.startsWith('SIG')),
    'no handler of a signal',
  )
  t.notOk(
    resources.some((name) => /Pipe|Timeout|TCP/.test(name)),
    `nothing that waits: ${resources}`,
  )
})

t.test('environment and directory are those that the owner has now', async (t) => {
  const server = await startServer(t)
  process.env['TRUEFORK_TEST'] = 'now'
  const before = process.cwd()
  process.chdir(realpathSync(tmpdir()))
  t.teardown(() => {
    delete process.env['TRUEFORK_TEST']
    process.chdir(before)
  })
  const { env, cwd } = await reportOf(t, server)
  t.equal(env['TRUEFORK_TEST'], 'now')
  t.equal(cwd, realpathSync(tmpdir()))
})

t.test('environment and directory can be given', async (t) => {
  const server = await startServer(t)
  const directory = realpathSync(t.testdir({ below: {} }))
  const given = { ONE: '1', TWO: 'a=b', GONE: undefined }
  const facts = await reportOf(t, server, { env: given, cwd: join(directory, 'below') })
  t.same(facts.env, { ONE: '1', TWO: 'a=b' })
  t.equal(facts.cwd, join(directory, 'below'))
  t.same((await reportOf(t, server, { env: ['THREE=3'] })).env, { THREE: '3' })
  t.not((await reportOf(t, server)).cwd, directory, 'the next has nothing of it')
})

t.test('0-2 can be given', async (t) => {
  const server = await startServer(t)
  const file = join(t.testdir(), 'output')
  const fd = openSync(file, O_RDWR | O_CREAT, 0o600)
  for (const [word, stdio] of [
    ['both', ['ignore', fd, fd]],
    ['first', [undefined, fd, 'ignore']],
  ] as const) {
    const worker = await server.fork({ module: workerModule, export: 'speak', args: [word], stdio })
    t.same(await worker.exited, { code: 0, signal: null })
  }
  closeSync(fd)
  t.equal(readFileSync(file, 'utf8'), 'both outboth errfirst out')
})

t.test('both ends of a pipe are still one pipe in the worker', async (t) => {
  const server = await startServer(t)
  const { writeEnd, heard } = listen(t)
  const readEnd = fdTable().find(({ peers }) => peers?.includes(writeEnd))?.fd as number
  await server.fork({
    module: workerModule,
    export: 'speak',
    args: ['whole'],
    stdio: ['ignore', writeEnd, 'ignore'],
    fds: [readEnd],
  })
  t.equal(await heard(), 'whole out')
})

t.test('descriptors may be closed as soon as the call has returned', async (t) => {
  const server = await startServer(t)
  const { writeEnd, heard } = listen(t)
  const starting = server.fork({ module: workerModule, export: 'report', fds: [writeEnd] })
  const text = heard()
  await starting
  t.match(JSON.parse(await text), { loadedIn: server.pid })
})

t.test('modules are found as import finds them', async (t) => {
  const directory = t.testdir({
    'module.mjs': 'export default () => { process.exitCode = 3 }\nexport const named = () => { process.exitCode = 4 }',
    'common.cjs': 'module.exports = () => { process.exitCode = 5 }',
    'plain.js': 'module.exports = () => { process.exitCode = 5 }',
    'computed.cjs': `for (const name of ['x']) exports[name] = () => { process.exitCode = 6 }`,
    'odd %20#name.mjs': 'export default () => { process.exitCode = 7 }',
    node_modules: {
      package: {
        'package.json': '{"exports":{"import":"./i.mjs","require":"./r.cjs"}}',
        'r.cjs': 'module.exports = () => { process.exitCode = 8 }',
        'i.mjs': '',
      },
    },
  })
  const server = await startServer(t, { preload: [] })
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => process.chdir(before))
  const codes: [module: string | URL, name: string | undefined, code: number][] = [
    ['./module.mjs', undefined, 3],
    [pathToFileURL('module.mjs'), 'named', 4],
    [pathToFileURL('module.mjs').href, 'default', 3],
    [join(directory, 'common.cjs'), undefined, 5],
    ['./plain', undefined, 5],
    ['./computed.cjs', 'x', 6],
    ['./odd %20#name.mjs', undefined, 7],
    ['package', undefined, 8],
    [workerModule, undefined, 42],
  ]
  for (const [module, name, code] of codes) {
    const worker = await server.fork({ module, export: name })
    t.same(await worker.exited, { code, signal: null }, String(module))
  }
})

t.test('fifty requests at once: each worker is its own', async (t) => {
  const server = await startServer(t)
  const facts = await Promise.all(Array.from({ length: 50 }, (_, index) => reportOf(t, server, { args: [index] })))
  t.same(
    facts.map(({ args: [index] }) => index),
    Array.from({ length: 50 }, (_, index) => index),
  )
  t.equal(new Set(facts.map(({ pid }) => pid)).size, 50)
})

t.test('a server without threads of V8 forks workers that are as good', async (t) => {
  const server = await startServer(t, { execArgv: ['--single-threaded', '--v8-pool-size=0'] })
  const facts = await Promise.all([1, 2].map((index) => reportOf(t, server, { args: [index] })))
  t.same(
    facts.map(({ args: [index], loadedIn }) => [index, loadedIn]),
    [
      [1, server.pid],
      [2, server.pid],
    ],
  )
  for (const [name, code] of [
    ['fail', 1],
    ['exitLater', 7],
    ['exit', 7],
  ] as const) {
    const worker = await server.fork({
      module: workerModule,
      export: name,
      args: [7],
      stdio: ['inherit', 'inherit', 'ignore'],
    })
    t.same(await worker.exited, { code, signal: null }, name)
  }
})

t.test('a Worker can have a server, which ends with it', async (t) => {
  const source = `
    const { ForkServer } = require('truefork/multiprocessing')
    const { parentPort, workerData } = require('node:worker_threads')
    ForkServer.start({ preload: [workerData] }).then(async (server) => {
      const worker = await server.fork({ module: workerData, export: 'exit', args: [9] })
      parentPort.postMessage([server.pid, await worker.exited])
    })`
  const thread = new Worker(source, { eval: true, workerData: workerModule, env: cleanEnv() as NodeJS.ProcessEnv })
  const [, exit] = await new Promise<[number, unknown]>((resolve, reject) => {
    thread.on('message', resolve).on('error', reject)
  })
  t.same(exit, { code: 9, signal: null })
  await thread.terminate()
})

t.test('a child that the owner forks has no part in it', { skip: withoutAllThreads }, async (t) => {
  const { code, stdout, stderr } = await runForking(`
    const { ForkServer } = require('truefork/multiprocessing')
    const module = ${JSON.stringify(workerModule)}
    ForkServer.start().then(async (server) => {
      const pid = fork()
      if (pid === 0) {
        await server.fork({ module }).catch(({ code }) => fs.writeSync(1, code + '\\n'))
        const { fdTable } = require('truefork')
        fs.writeSync(1, fdTable().filter(({ kind, target }) => kind === 'socket' && target.startsWith('unix')).length + '\\n')
        _exit(0)
      }
      waitpid(pid)
      const worker = await server.fork({ module })
      console.log((await worker.exited).code)
      await server.close()
    })`)
  t.same({ code, stdout, stderr }, { code: 0, stdout: 'ERR_FORK_SERVER_CLOSED\n0\n42\n', stderr: '' })
})

t.test('a program that has a server, and nothing else to do, ends', async (t) => {
  const { code, stderr } = await runForking(`
    const { ForkServer } = require('truefork/multiprocessing')
    ForkServer.start().then((server) => fs.writeSync(2, String(server instanceof ForkServer)))`)
  t.same({ code, stderr }, { code: 0, stderr: 'true' })
})
