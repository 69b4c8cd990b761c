// What a fork server refuses, what it can't do, and what is left then: nothing.
import { closeSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { kill, prlimit, RLIMIT_NOFILE } from 'truefork'
import { ForkServer, ForkServerError } from 'truefork/multiprocessing'
import { cleanEnv } from '../support/program'
import { descriptorsOf, hasNoChild, hasNoWorker, spareOf, startServer, workerModule } from './support/owner'

const notLinux = process.platform !== 'linux' && 'only Linux has /proc'
t.setTimeout(120_000)

async function refusal(promise: Promise<unknown>): Promise<ForkServerError> {
  const error: unknown = await promise.then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof ForkServerError) return error
  throw error
}

const modules = {
  'throws.mjs': `throw new TypeError('not today')`,
  'throws.cjs': `throw null`,
  'syntax.cjs': 'const',
  'exits.cjs': 'process.exit(3)',
  'dies.cjs': `process.kill(process.pid, 'SIGKILL'); for (;;);`,
  'values.mjs': 'export const value = 1; export function call() {}',
}

t.test('a worker that can not come so far is an error with a cause', async (t) => {
  const server = await startServer(t)
  const directory = t.testdir(modules)
  const at = (name: string): string => join(directory, name)
  const cases: [options: Partial<Parameters<ForkServer['fork']>[0]>, cause: object | undefined, words: RegExp][] = [
    [{ module: './nowhere.js' }, { code: 'ERR_MODULE_NOT_FOUND' }, /no worker for \.\/nowhere\.js: Cannot find/],
    [{ module: 'no-such-package' }, { code: 'ERR_MODULE_NOT_FOUND' }, /Cannot find package 'no-such-package'/],
    [{ module: at('throws.mjs') }, { name: 'TypeError', message: 'not today' }, /not today/],
    [{ module: at('throws.cjs') }, { message: 'null' }, /null/],
    [{ module: at('syntax.cjs') }, { name: 'SyntaxError' }, /syntax\.cjs/],
    [{ module: at('values.mjs') }, { code: 'ERR_INVALID_ARG_VALUE' }, /exports are: call, value/],
    [{ module: at('values.mjs'), export: 'value' }, { code: 'ERR_INVALID_ARG_VALUE' }, /must be a function/],
    [{ module: at('exits.cjs') }, undefined, /worker \d+ ended with 3 before it had loaded/],
    [{ module: at('dies.cjs') }, undefined, /worker \d+ was ended by SIGKILL before it had loaded/],
    [{ cwd: at('nowhere') }, { code: 'ENOENT', syscall: 'chdir' }, /ENOENT/],
  ]
  for (const [options, cause, words] of cases) {
    const error = await refusal(server.fork({ module: workerModule, ...options }))
    t.equal(error.code, 'ERR_FORK_SERVER_WORKER')
    t.match(error.message, words)
    if (cause === undefined) t.notOk(error.cause)
    else t.match(error.cause, cause)
    t.ok(hasNoWorker(server), 'no process is left')
  }
  t.ok(((await refusal(server.fork({ module: at('throws.mjs') }))).cause as Error).stack?.includes('throws.mjs'))
  t.same(await (await server.fork({ module: workerModule })).exited, { code: 42, signal: null }, 'the server goes on')
})

t.test('a module that can not be preloaded is an error of start', async (t) => {
  const directory = t.testdir(modules)
  const start = (module: string): Promise<ForkServer> => ForkServer.start({ preload: [module], env: cleanEnv() })
  for (const [module, cause] of [
    ['./nowhere.js', { code: 'ERR_MODULE_NOT_FOUND' }],
    ['no-such-package', { code: 'ERR_MODULE_NOT_FOUND' }],
    [join(directory, 'throws.mjs'), { name: 'TypeError', message: 'not today' }],
    [join(directory, 'syntax.cjs'), { name: 'SyntaxError' }],
  ] as const) {
    const error = await refusal(start(module))
    t.equal(error.code, 'ERR_FORK_SERVER_PRELOAD')
    t.match(error.cause, cause)
  }
  for (const [module, words] of [
    ['exits.cjs', /^fork server \d+ ended with 3 while it loaded its modules$/],
    ['dies.cjs', /^fork server \d+ was ended by SIGKILL while it loaded its modules$/],
  ] as const) {
    const error = await refusal(start(join(directory, module)))
    t.equal(error.code, 'ERR_FORK_SERVER_DIED')
    t.match(error.message, words)
  }
  t.ok(hasNoChild())
})

const values: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  'a number': 1.5,
  'a list': [[]],
  'a string with NUL': 'a\0b',
}

/** Every wrong value of an option is refused by name, but for those that are right. */
async function refusesAll(
  t: Test,
  call: (options: never) => Promise<unknown>,
  name: string,
  right: readonly string[],
  others: object = {},
): Promise<void> {
  for (const [words, value] of Object.entries(values)) {
    if (right.includes(words)) continue
    const message = new RegExp(`options\\.${name}\\b|fd`)
    const promise = call({ ...others, [name]: value } as never)
    await t.rejects(promise, { code: /^ERR_(INVALID_ARG_(TYPE|VALUE)|OUT_OF_RANGE)$/, message }, `${name}: ${words}`)
  }
}

t.test('wrong options are refused before anything happens', async (t) => {
  const server = await startServer(t)
  const fork = (options: never): Promise<unknown> => server.fork(options)
  const others = { module: workerModule }
  await refusesAll(t, fork, 'module', [])
  for (const name of ['export', 'cwd', 'fds', 'stdio', 'env', 'daemon']) {
    await refusesAll(t, fork, name, ['undefined'], others)
  }
  await refusesAll(t, fork, 'args', ['undefined', 'null', 'a list'], others)
  for (const name of ['preload', 'execArgv', 'env']) {
    await refusesAll(t, (options) => ForkServer.start(options), name, ['undefined'])
  }
  await refusesAll(t, (options) => server.close(options), 'graceMs', ['undefined'])
  for (const wrong of [null, 1, 'x', []]) {
    await t.rejects(fork(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
    await t.rejects(ForkServer.start(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
    await t.rejects(server.close(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  await t.rejects(server.fork({ ...others, fds: Array(251).fill(0) }), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(server.fork({ ...others, stdio: ['pipe' as never] }), { code: 'ERR_INVALID_ARG_VALUE' })
  await t.rejects(server.fork({ ...others, stdio: [0, 1, 2, 3] }), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(server.fork({ ...others, fds: [-1] }), { code: 'EBADF' })
  const uncloneable = { code: 'ERR_INVALID_ARG_VALUE', message: /options\.args\[1\]\.callback/ }
  await t.rejects(server.fork({ ...others, args: [1, { callback() {} }] }), uncloneable)
  t.same(await (await server.fork(others)).exited, { code: 42, signal: null }, 'the server is as it was')
})

t.test('a server without a free descriptor says so, and goes on later', { skip: notLinux }, async (t) => {
  const server = await startServer(t)
  await spareOf(server) // and it opens nothing more
  const fds = descriptorsOf(server)
  // Not a single number is free below the limit.
  const lowestFree = fds.sort((a, b) => a - b).findIndex((fd, index) => fd !== index)
  const { soft, hard } = prlimit(server.pid, RLIMIT_NOFILE)
  prlimit(server.pid, RLIMIT_NOFILE, lowestFree < 0 ? fds.length : lowestFree, hard)
  for (let round = 0; round < 3; round++) {
    const error = await refusal(server.fork({ module: workerModule }))
    t.match(error, { code: 'ERR_FORK_SERVER_WORKER', cause: { code: 'EMFILE' } })
  }
  prlimit(server.pid, RLIMIT_NOFILE, soft, hard)
  t.same(await (await server.fork({ module: workerModule })).exited, { code: 42, signal: null })
})

t.test('requests without room wait for it', { skip: notLinux }, async (t) => {
  const server = await startServer(t)
  kill(server.pid, 'SIGSTOP')
  const fd = openSync('/dev/null', 'r')
  const before = readdirSync('/proc/self/fd').length
  // More than the socket holds.
  const requests = Array.from({ length: 600 }, () => refusal(server.fork({ module: workerModule, fds: [fd] })))
  closeSync(fd)
  t.ok(readdirSync('/proc/self/fd').length > before + 600)
  kill(server.pid, 'SIGKILL')
  const codes = new Set((await Promise.all(requests)).map(({ code }) => code))
  t.same([...codes], ['ERR_FORK_SERVER_DIED'])
  await server.close()
})
