import t from 'tap'
import * as truefork from 'truefork'
import { getrlimit, kill, prlimit, RLIM_INFINITY, RLIMIT_CORE, RLIMIT_NOFILE, setrlimit } from 'truefork'
import { sleeping } from './support/child'
import { runProgram } from './support/program'

const failure = (code: string, syscall: string) => ({ name: 'PosixError', code, syscall })
const notLinux = process.platform !== 'linux' && 'ENOSYS there, but for this process'
const notRoot = process.getuid?.() !== 0 && 'only root can become another user'

async function outputOf(source: string): Promise<string> {
  const { stdout, stderr, code } = await runProgram(`Object.assign(globalThis, require('truefork'));${source}`)
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`)
  return stdout
}

t.test('a limit is asked for by constant, by name and by short name', async (t) => {
  const limits = getrlimit(RLIMIT_NOFILE)
  t.type(limits.soft, 'number')
  t.ok(limits.soft <= limits.hard)
  t.same(getrlimit('RLIMIT_NOFILE'), limits)
  t.same(getrlimit('nofile'), limits)
  t.same(prlimit(0, 'nofile'), limits)
  t.same(prlimit(process.pid, 'nofile'), limits)
})

t.test('every constant and every name is a resource', { skip: notLinux }, async (t) => {
  const names = Object.keys(truefork.constants).filter((name) => name.startsWith('RLIMIT_'))
  t.equal(names.length, 16)
  for (const name of names) {
    const number = truefork.constants[name as 'RLIMIT_AS']
    t.same(getrlimit(name as 'RLIMIT_AS'), getrlimit(number), name)
    t.same(getrlimit(name.slice('RLIMIT_'.length).toLowerCase() as 'as'), getrlimit(number), name)
  }
})

t.test('children and programs inherit what is set, and sh tells the same', async (t) => {
  const stdout = await outputOf(`
    const { hard } = getrlimit('nofile')
    setrlimit('nofile', 100, hard)
    setrlimit(RLIMIT_CORE, 0, 0)
    console.log(JSON.stringify(getrlimit('nofile').soft), JSON.stringify(getrlimit('core')))
    waitpid(posix_spawnp('sh', ['sh', '-c', 'ulimit -S -n; ulimit -H -c']))
    const pid = fork({ threads: 'caller', hazards: 'ignore' })
    if (pid === 0) _exit(getrlimit('nofile').soft === 100 ? 0 : 1)
    process.exit(waitpid(pid).status)`)
  t.equal(stdout, '100 {"soft":0,"hard":0}\n100\n0\n')
})

t.test('a limit that is reached is felt', async (t) => {
  const stdout = await outputOf(`
    setrlimit('nofile', 40, 40)
    try { for (;;) dup(0) } catch ({ code }) { console.log(code) }`)
  t.equal(stdout, 'EMFILE\n')
})

t.test('no limit is Infinity, or said in words', async (t) => {
  t.equal(RLIM_INFINITY, Number.POSITIVE_INFINITY)
  const stdout = await outputOf(`
    const { hard } = getrlimit('cpu')
    for (const none of [Infinity, 'infinity', RLIM_INFINITY]) {
      setrlimit('cpu', 1000, hard)
      if (hard === Infinity) setrlimit('cpu', none, none)
      console.log(getrlimit('cpu').soft === (hard === Infinity ? Infinity : 1000))
    }`)
  t.equal(stdout, 'true\ntrue\ntrue\n')
})

t.test('a limit that no number can tell is a bigint, and a bigint can be set', { skip: notLinux }, async (t) => {
  const stdout = await outputOf(`
    setrlimit('as', 2n ** 63n + 1n, 'infinity')
    console.log(getrlimit('as').soft === 2n ** 63n + 1n)
    setrlimit('as', 2n ** 40n, Infinity)
    console.log(getrlimit('as').soft === 2 ** 40)
    setrlimit('as', 2n ** 64n - 1n, Infinity) // the kernel's own word for no limit
    console.log(getrlimit('as').soft)`)
  t.equal(stdout, 'true\ntrue\nInfinity\n')
})

t.test('prlimit sets the limits of a child, and tells those of before', { skip: notLinux }, async (t) => {
  const pid = sleeping(t)
  const before = prlimit(pid, 'nofile')
  t.same(prlimit(pid, 'nofile', 17, 18), before)
  t.same(prlimit(pid, 'nofile'), { soft: 17, hard: 18 })
  t.same(getrlimit('nofile'), before)
  kill(pid, 'SIGKILL')
})

t.test('what the kernel refuses is its own error', async (t) => {
  t.throws(() => getrlimit(999), failure('EINVAL', 'getrlimit'))
  t.throws(() => getrlimit(-1), failure('EINVAL', 'getrlimit'))
  t.throws(() => setrlimit(999, 0, 0), failure('EINVAL', 'setrlimit'))
  t.throws(() => setrlimit(RLIMIT_CORE, 2, 1), failure('EINVAL', 'setrlimit'))
})

t.test("somebody else's limits, and those of nobody", { skip: notLinux || notRoot }, async (t) => {
  t.throws(() => prlimit(0x7fffffff, 'nofile'), failure('ESRCH', 'prlimit'))
  const stdout = await outputOf(`
    setrlimit('core', 10, 10)
    process.setuid(65534)
    for (const call of [() => prlimit(1, 'nofile'), () => setrlimit('core', 10, 11)]) {
      try { call() } catch ({ code, syscall }) { console.log(code, syscall) }
    }
    _exit(0)`)
  t.equal(stdout, 'EPERM prlimit\nEPERM setrlimit\n')
})

t.test('what is no resource, or no limit, is refused before anything happens', async (t) => {
  const before = getrlimit('core')
  for (const value of [undefined, null, {}, true, 1n, ['nofile']]) {
    for (const call of [() => getrlimit(value as never), () => setrlimit(value as never, 0, 0)]) {
      t.throws(call, { code: 'ERR_INVALID_ARG_TYPE', message: /"resource"/ })
    }
  }
  for (const value of ['', 'NOFILE', 'Nofile', 'rlimit_nofile', 'RLIMIT_', 'RLIMIT_nofile', 'open', 'constructor']) {
    t.throws(() => getrlimit(value as never), { code: 'ERR_INVALID_ARG_VALUE' }, value)
  }
  for (const value of [1.5, Number.NaN, 2 ** 31]) t.throws(() => getrlimit(value), { code: 'ERR_OUT_OF_RANGE' })
  for (const value of [null, {}, true, undefined]) {
    t.throws(() => setrlimit('core', value as never, 0), { code: 'ERR_INVALID_ARG_TYPE', message: /"soft"/ })
    t.throws(() => setrlimit('core', 0, value as never), { code: 'ERR_INVALID_ARG_TYPE', message: /"hard"/ })
  }
  for (const value of [-1, -1n, 1.5, Number.NaN, -Infinity, 2 ** 53, 2n ** 64n]) {
    t.throws(() => setrlimit('core', value, 0), { code: 'ERR_OUT_OF_RANGE', message: /"soft"/ })
    t.throws(() => prlimit(0, 'core', 0, value), { code: 'ERR_OUT_OF_RANGE', message: /"hard"/ })
  }
  for (const value of ['', '1', 'Infinity', 'unlimited']) {
    t.throws(() => setrlimit('core', value as never, 0), { code: 'ERR_INVALID_ARG_VALUE' })
  }
  t.throws(() => prlimit(0, 'core', ...([1] as never as [])), { code: 'ERR_INVALID_ARG_TYPE', message: /"hard"/ })
  t.throws(() => prlimit('1' as never, 'core'), { code: 'ERR_INVALID_ARG_TYPE', message: /"pid"/ })
  t.same(getrlimit('core'), before)
})
