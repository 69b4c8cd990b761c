import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import t from 'tap'
import { NSIG, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, sigpending, sigprocmask } from 'truefork'
import { linesOf, withoutAllThreads } from './support/fork'
import { signalBit, signalSets } from './support/process-state'

const { SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2 } = constants.signals
const notLinux = process.platform !== 'linux' && 'only Linux has /proc'

const prelude = `
  Object.assign(globalThis, require('truefork'))
  const say = (value) => console.log(JSON.stringify(value))
  const mask = () => sigprocmask(SIG_BLOCK, [])
`
const run = (source: string) => linesOf(prelude + source)

t.test('signals are blocked, unblocked and set; each call tells what was before', async (t) => {
  const before = sigprocmask(SIG_SETMASK, [])
  t.teardown(() => {
    sigprocmask(SIG_SETMASK, before)
  })
  t.same(sigprocmask(SIG_BLOCK, ['SIGUSR2', SIGTERM]), [])
  t.same(sigprocmask(SIG_BLOCK, new Set(['SIGUSR1'] as const)), ['SIGUSR2', 'SIGTERM'])
  t.same(sigprocmask(SIG_UNBLOCK, [SIGUSR2]), ['SIGUSR1', 'SIGUSR2', 'SIGTERM'])
  t.same(sigprocmask(SIG_SETMASK, ['SIGHUP']), ['SIGUSR1', 'SIGTERM'])
  t.same(sigprocmask(SIG_SETMASK, []), ['SIGHUP'])
})

t.test('it is the kernel that blocks them', { skip: notLinux }, async (t) => {
  const before = sigprocmask(SIG_BLOCK, ['SIGUSR1'])
  const blocked = signalSets(readFileSync('/proc/thread-self/status', 'utf8')).SigBlk
  sigprocmask(SIG_SETMASK, before)
  t.not(blocked & signalBit(SIGUSR1), 0n)
})

t.test('SIGKILL, SIGSTOP and the signals of the C library are passed over', { skip: notLinux }, async (t) => {
  const before = sigprocmask(
    SIG_SETMASK,
    Array.from({ length: NSIG - 1 }, (_, index) => index + 1),
  )
  const all = sigprocmask(SIG_SETMASK, before)
  const missing = Array.from({ length: NSIG - 1 }, (_, index) => index + 1).filter(
    (signal) => !all.includes(signal) && !all.some((name) => constants.signals[name as NodeJS.Signals] === signal),
  )
  t.same(
    missing.filter((signal) => signal < 32 || signal > 34),
    [SIGKILL, SIGSTOP],
  )
  t.ok(missing.includes(32))
  t.same(sigprocmask(SIG_BLOCK, [SIGKILL, 'SIGSTOP', 32, 33]), before)
  t.same(sigprocmask(SIG_BLOCK, []), before)
})

t.test('an unknown way is EINVAL, and changes nothing', async (t) => {
  const before = sigprocmask(SIG_BLOCK, [])
  for (const how of [-1, 3, 99]) {
    t.throws(() => sigprocmask(how, ['SIGUSR1']), { name: 'PosixError', code: 'EINVAL', syscall: 'sigprocmask' })
  }
  t.same(sigprocmask(SIG_BLOCK, []), before)
  t.same(sigpending(), [])
})

t.test('a blocked signal waits, and its handler runs once it is unblocked', { skip: withoutAllThreads }, async (t) => {
  const lines = await run(`
    fs.readFile('/dev/null', () => { // the thread pool is there as well
      const handled = []
      process.on('SIGUSR2', (name) => handled.push(name))
      sigprocmask(SIG_BLOCK, ['SIGUSR2', 'SIGTERM', 40])
      for (let i = 0; i < 100; i++) for (const signal of ['SIGUSR2', 'SIGTERM', 40]) kill(process.pid, signal)
      say(sigpending())
      setTimeout(() => {
        say(handled)
        sigprocmask(SIG_UNBLOCK, ['SIGUSR2'])
        say(sigpending())
        setImmediate(function look() {
          if (handled.length === 0) return setImmediate(look)
          say(handled)
          sigprocmask(SIG_UNBLOCK, ['SIGTERM'])
          say('never')
        })
      }, 20)
    })
    const pid = fork()
    if (pid !== 0) { process.removeAllListeners('SIGUSR2'); say(ending(pid)); process.exit() }`)
  t.same(lines, [['SIGUSR2', 'SIGTERM', 40], [], ['SIGTERM', 40], ['SIGUSR2'], 'SIGTERM'])
})

// What every thread of a process blocks. Nobody but a thread on its way out of a stop blocks 32, which is the stop's own.
const masksOfThreads = `
  function masksOfThreads() {
    const { readdirSync, readFileSync } = require('node:fs')
    const mask = (tid) => BigInt('0x' + /SigBlk:\\s*(\\w+)/.exec(readFileSync('/proc/self/task/' + tid + '/status', 'utf8'))[1])
    for (;;) {
      const masks = new Map(readdirSync('/proc/self/task').map((tid) => [Number(tid), mask(tid)]))
      if ([...masks.values()].every((blocked) => (blocked >> 31n & 1n) === 0n)) return masks
    }
  }`

t.test('no other thread takes what the main thread blocks', { skip: withoutAllThreads }, async (t) => {
  const [before, after] = (await run(`${masksOfThreads}
    const { Worker } = require('node:worker_threads')
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
    worker.on('online', () => {
      const told = () => say([...masksOfThreads()].filter(([tid]) => tid !== process.pid).map(([, mask]) => String(mask)))
      told()
      sigprocmask(SIG_BLOCK, [1, 12, 15, 35, 'SIGSEGV', 'SIGPROF'])
      told()
      worker.terminate()
    })`)) as [string[], string[]]
  const added = [1, 12, 15, 35].reduce((set, signal) => set | signalBit(signal), 0n)
  t.ok(before.length > 5)
  t.same(
    after.map(BigInt),
    before.map((mask) => BigInt(mask) | added),
    'and a thread is left its own faults',
  )
})

t.test("a full table of descriptors is in nobody's way", { skip: withoutAllThreads }, async (t) => {
  const lines = await run(`
    const { hard } = getrlimit('nofile')
    setrlimit('nofile', 60, hard)
    try { for (;;) dup(0) } catch {}
    sigprocmask(SIG_BLOCK, ['SIGUSR2'])
    kill(process.pid, 'SIGUSR2')
    say([sigpending(), getrlimit('nofile').soft])`)
  t.same(lines, [[['SIGUSR2'], 60]])
})

t.test("a Worker's mask is its own", async (t) => {
  const worker = `
    const { sigprocmask, SIG_BLOCK } = require('truefork')
    sigprocmask(SIG_BLOCK, ['SIGUSR1', 'SIGHUP'])
    require('node:worker_threads').parentPort.postMessage(sigprocmask(SIG_BLOCK, []))`
  const lines = await run(`
    const { Worker } = require('node:worker_threads')
    new Worker(${JSON.stringify(worker)}, { eval: true }).on('message', (told) => { say(told); say(mask()) })`)
  t.same(lines, [['SIGHUP', 'SIGUSR1'], []])
})

for (const threads of ['all', 'caller']) {
  const skip = threads === 'all' && withoutAllThreads
  t.test(`a forked child (${threads}) has the mask, and none of what waits`, { skip }, async (t) => {
    const lines = await run(`
      sigprocmask(SIG_BLOCK, ['SIGUSR1', 'SIGHUP'])
      kill(process.pid, 'SIGHUP')
      const pid = fork(${threads === 'all' ? '' : 'caller'})
      if (pid === 0) {
        fs.writeSync(1, JSON.stringify([mask(), sigpending()]) + '\\n')
        _exit(0)
      }
      ending(pid)
      say([mask(), sigpending()])`)
    const mask = ['SIGHUP', 'SIGUSR1']
    // With threads of Node's that don't block it a signal for the process is theirs: see the tests above.
    t.same(lines, [
      [mask, []],
      [mask, ['SIGHUP']],
    ])
  }) // fork.signals-16
}

t.test('a program that is spawned has the mask, unless setsigmask gives it another', { skip: notLinux }, async (t) => {
  const lines = await run(`
    const blocked = (options) => {
      waitpid(posix_spawnp('grep', ['grep', 'SigBlk', '/proc/self/status'], options))
    }
    sigprocmask(SIG_BLOCK, ['SIGUSR1', 'SIGTERM', 35])
    blocked()
    blocked({ setsigmask: ['SIGHUP'] })
    blocked({ setsigmask: [] })
    sigprocmask(SIG_UNBLOCK, ['SIGTERM'])
    blocked()
    sigprocmask(SIG_SETMASK, [])
    blocked()`)
  const words = (set: bigint) => `SigBlk:\t${set.toString(16).padStart(16, '0')}`
  t.same(lines, [
    words(signalBit(SIGUSR1) | signalBit(SIGTERM) | signalBit(35)),
    words(1n),
    words(0n),
    words(signalBit(SIGUSR1) | signalBit(35)),
    words(0n),
  ])
})

t.test('exec keeps the mask, and what waits', { skip: notLinux }, async (t) => {
  const lines = await run(`
    sigprocmask(SIG_BLOCK, ['SIGUSR1', 'SIGTERM'])
    kill(process.pid, 'SIGUSR1')
    try { execv('/nonexistent', ['x']) } catch {}
    say(mask())
    execvp('grep', ['grep', '-E', 'SigBlk|ShdPnd', '/proc/self/status'])`)
  t.same(lines, [['SIGUSR1', 'SIGTERM'], 'ShdPnd:\t0000000000000200', 'SigBlk:\t0000000000004200'])
})

t.test(
  'a signal that tells of a fault is blocked in the calling thread alone',
  { skip: withoutAllThreads },
  async (t) => {
    const lines = await run(`${masksOfThreads}
    const before = masksOfThreads()
    sigprocmask(SIG_BLOCK, ['SIGSEGV', 'SIGPROF', 'SIGKILL'])
    say(mask())
    say([...masksOfThreads()].filter(([tid, mask]) => before.get(tid) !== mask).map(([tid]) => tid === process.pid))`)
    t.same(lines, [['SIGSEGV', 'SIGPROF'], [true]])
  },
)

t.test('what is no set of signals is refused, and nothing is blocked', async (t) => {
  const before = sigprocmask(SIG_BLOCK, [])
  for (const value of [undefined, null, 1, {}, 'SIGTERM']) {
    t.throws(() => sigprocmask(SIG_BLOCK, value as never), { code: 'ERR_INVALID_ARG_TYPE', message: /"signals"/ })
  }
  for (const value of ['SIGNOTHING', 'TERM', '']) {
    t.throws(() => sigprocmask(SIG_BLOCK, ['SIGTERM', value] as never), { code: 'ERR_INVALID_ARG_VALUE' })
  }
  for (const value of [0, -1, NSIG, 1.5, Number.NaN]) {
    t.throws(() => sigprocmask(SIG_BLOCK, ['SIGTERM', value]), { code: 'ERR_OUT_OF_RANGE', message: /"signals\[1\]"/ })
  }
  t.throws(
    () => {
      sigprocmask(SIG_BLOCK, {
        get [Symbol.iterator](): never {
          throw new Error('a getter')
        },
      })
    },
    { message: 'a getter' },
  )
  t.same(sigprocmask(SIG_BLOCK, []), before)
})
