import t from 'tap'
import { type Diagnosis, diagnose, kill, P_PID, posix_spawnp, WEXITED, WNOWAIT, waitid, waitpid } from 'truefork'
import { sleeping } from './support/child'
import { linesOf, withoutAllThreads } from './support/fork'
import { withLocks } from './support/held-locks'
import { withoutCompiler } from './support/native'

/**
 * For a program: looked(pid, until) asks again until the answer fits, and prints what a test wants of it; ends the
 * process. A watchdog ends a program whose answer never does.
 */
const prelude = `
  const { diagnose, kill } = require('truefork')
  const facts = ({ state, deadlocked, summary, threads, fork: record }) => {
    const [main] = threads
    return {
      state, deadlocked, summary, record, detail: main.detail, lock: main.lock, syscall: main.syscall?.name,
      stuck: threads.filter((thread) => thread.deadlocked).length,
    }
  }
  function looked(pid, fits) {
    let found = diagnose(pid)
    while (!fits(found)) found = diagnose(pid)
    console.log(JSON.stringify(facts(found)))
    kill(pid, 'SIGKILL')
    waitpid(pid)
  }
  const sits = (call) => ({ threads: [{ syscall, state }] }) => syscall?.name.startsWith(call) && state === 'S'
  const sleepsBy = (kind) => ({ state, threads: [{ lock }] }) => lock?.kind === kind && state === 'waiting'
  const inChild = (options, run) => fork(options) || (run(), _exit(1))
`

type Facts = Pick<Diagnosis, 'state' | 'deadlocked' | 'summary'> & {
  record: Diagnosis['fork']
  detail: string
  lock: Diagnosis['threads'][0]['lock']
  syscall?: string
  stuck: number
}

async function factsOf(source: string): Promise<Facts[]> {
  return (await linesOf(prelude + source)) as Facts[]
}

t.test("a lock that a thread of the parent held at a fork by 'caller'", { skip: withoutCompiler }, async (t) => {
  const orphaned = ['mutex', 'recursive', 'write'] as const
  const found = await factsOf(`
    ${withLocks(t.testdir())}
    for (const kind of ${JSON.stringify(orphaned)}) {
      locks.hold(kinds[kind])
      looked(inChild(caller, () => locks.take(kinds[kind])), ({ deadlocked }) => deadlocked)
    }
  `)
  for (const [index, kind] of orphaned.entries()) {
    await t.test(kind, async (t) => {
      const { state, detail, lock, summary, record, stuck } = found[index] as Facts
      t.equal(state, 'deadlocked')
      t.equal(stuck, 1)
      t.equal(lock?.kind, kind === 'write' ? 'rwlock' : 'mutex')
      t.match(lock, {
        shared: false,
        timed: false,
        owner: { name: 'holder', tidHere: null, exists: false, leftAtFork: true },
      })
      t.match(detail, /no such thread exists here: it will wait for ever$/)
      t.match(summary, /is deadlocked: the main thread \d+ .* thread \d+ .*kill\(\d+, 'SIGKILL'\).*threads: 'all'/s)
      t.match(detail, /which thread \d+ \("holder"\) of the parent held at the fork/)
      t.equal(record?.threads, 'caller')
      const holder = record?.threadsAtFork.find(({ tid }) => tid === lock?.owner?.tid)
      t.same(holder, { tid: lock?.owner?.tid, name: 'holder', tidHere: null })
      t.equal(record?.threadsAtFork.filter(({ tidHere }) => tidHere !== null).length, 1)
    })
  }
})

t.test('what nobody is left to give back', { skip: withoutCompiler }, async (t) => {
  const [readers, condition] = await factsOf(`
    ${withLocks(t.testdir())}
    locks.hold(kinds.read)
    for (const kind of ['read', 'condition']) {
      looked(inChild(caller, () => locks.take(kinds[kind])), ({ deadlocked }) => deadlocked)
    }
  `)
  t.match(readers?.lock, { kind: 'rwlock', owner: null, readers: 1 })
  t.match(readers?.detail, /locked for reading once: nobody is left to wake it/)
  t.match(condition?.lock, { kind: 'condition', owner: null })
  t.match(condition?.summary, /nobody is left to wake it.*threads: 'all'/)
})

t.test('threads that wait for each other, or for one that has ended', { skip: withoutCompiler }, async (t) => {
  const [crossed, twice, abandoned] = await factsOf(`
    ${withLocks(t.testdir())}
    looked(inChild(caller, () => locks.cross()), ({ deadlocked }) => deadlocked)
    looked(inChild(caller, () => { locks.take(kinds.mutex); locks.take(kinds.mutex) }), ({ deadlocked }) => deadlocked)
    looked(inChild(caller, () => { locks.abandon(kinds.mutex); locks.take(kinds.mutex) }), ({ deadlocked }) => deadlocked)
  `)
  t.equal(crossed?.stuck, 2)
  t.match(crossed?.detail, /waits for a mutex at 0x.*, which thread \d+ \("holder"\) holds: it will wait for ever/)
  t.match(crossed?.summary, /the same order/)
  t.match(twice?.detail, /which it holds itself: it will wait for ever/)
  t.match(abandoned?.detail, /which thread \d+ held; no such thread exists any more: it will wait for ever/)
})

t.test('what may still come is no deadlock', { skip: withoutCompiler }, async (t) => {
  const found = await factsOf(`
    ${withLocks(t.testdir())}
    locks.hold(kinds.mutex)
    locks.hold(kinds.shared)
    looked(inChild(caller, () => locks.takeTimed()), sleepsBy('mutex'))
    looked(inChild(caller, () => locks.take(kinds.shared)), sleepsBy('mutex'))
    looked(inChild(caller, () => locks.take(kinds.semaphore)), sleepsBy('semaphore'))
    looked(inChild(caller, () => { locks.hold(kinds.join); locks.take(kinds.join) }), sleepsBy('thread'))
    looked(inChild(caller, () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000)
    }), sleepsBy('atomics'))
  `)
  t.same(
    found.map(({ state, deadlocked, stuck }) => ({ state, deadlocked, stuck })),
    Array(5).fill({ state: 'waiting', deadlocked: false, stuck: 0 }),
  )
  const [timed, shared, semaphore, joining, atomics] = found
  t.match(timed?.lock, { timed: true, owner: { exists: false, leftAtFork: true } })
  t.match(timed?.detail, /waits for a limited time for a mutex/)
  t.match(shared?.lock, { shared: true, owner: { exists: true } })
  t.match(shared?.detail, /of another process holds$/)
  t.match(semaphore?.detail, /waits for a semaphore/)
  t.match(joining?.lock, { owner: { name: 'holder', exists: true } })
  t.match(joining?.detail, /^waits for thread \d+ to end$/)
  t.match(atomics?.lock, { timed: true, owner: null })
})

t.test('a lock of truefork/multiprocessing', { skip: withoutAllThreads }, async (t) => {
  const [found] = await factsOf(`
    const { Lock } = require('truefork/multiprocessing')
    const lock = new Lock()
    lock.acquireSync()
    const child = fork()
    if (child === 0) {
      lock.acquireSync(600_000)
      _exit(1)
    }
    looked(child, sleepsBy('multiprocessing'))
    process.exit()
  `)
  t.match(found, { state: 'waiting', deadlocked: false })
  t.match(found?.lock, { kind: 'multiprocessing', shared: true, owner: { exists: true, tidHere: null } })
  t.match(found?.detail, /^waits for a lock of truefork\/multiprocessing at 0x.*of another process holds$/)
})

t.test('a mutex whose owner lives', { skip: withoutCompiler || withoutAllThreads }, async (t) => {
  const found = await factsOf(`
    ${withLocks(t.testdir())}
    locks.keepWaiting()
    // In this process, in a child that has the two threads, and in its child: neither the owner's tid is what it was.
    console.log(JSON.stringify(facts(diagnose(process.pid))))
    const sleep = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000)
    const holders = (pid) => {
      for (;;) {
        const { deadlocked, threads, fork: record } = diagnose(pid)
        const owner = threads.find(({ name }) => name === 'holder')?.lock?.owner
        if (record && owner) return console.log(JSON.stringify({ deadlocked, owner, isMain: owner.tidHere === pid }))
      }
    }
    const { pipe } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    const child = fork()
    if (child === 0) {
      const grandchild = fork()
      if (grandchild === 0) sleep()
      holders(grandchild)
      kill(grandchild, 'SIGKILL')
      waitpid(grandchild)
      fs.writeSync(writeEnd, 'x')
      sleep()
    }
    fs.readSync(readEnd, Buffer.alloc(1))
    holders(child)
    kill(child, 'SIGKILL')
    waitpid(child)
    process.exit()
  `)
  const [own, ...others] = found as unknown as [Facts, ...{ deadlocked: boolean; owner: object; isMain: boolean }[]]
  t.equal(own.deadlocked, false)
  t.equal(own.state, 'running')
  t.equal(others.length, 2)
  for (const { deadlocked, owner, isMain } of others) {
    t.equal(deadlocked, false)
    t.match(owner, { exists: true, leftAtFork: false })
    t.equal(isMain, true)
  }
})

t.test(
  'a child of all threads tells which it has, and which locks were given their new owners',
  {
    skip: withoutCompiler || withoutAllThreads,
  },
  async (t) => {
    const [found] = await factsOf(`
    ${withLocks(t.testdir())}
    locks.hold(kinds.recursive)
    const child = fork()
    if (child === 0) for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000)
    looked(child, ({ fork: record, threads: [{ lock }] }) => record && lock?.kind === 'atomics')
    process.exit()
  `)
    t.equal(found?.record?.threads, 'all')
    t.ok(found?.record?.threadsAtFork.every(({ tid, tidHere }) => tid > 0 && tidHere !== null && tidHere !== tid))
    const holder = found?.record?.threadsAtFork.find(({ name }) => name === 'holder')
    const [lock] = found?.record?.heldLocks ?? []
    t.match(lock, { kind: 'mutex', tid: holder?.tid, tidHere: holder?.tidHere })
    t.ok(Math.abs(Date.parse(found?.record?.time ?? '') - Date.now()) < 600_000)
  },
)

t.test('system calls, in words', async (t) => {
  const [read, own, slept, epoll, awaited] = await factsOf(`
    const { pipe } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    const byte = Buffer.alloc(1)
    looked(inChild(caller, () => { fs.closeSync(writeEnd); fs.readSync(readEnd, byte) }), sits('read'))
    looked(inChild(caller, () => fs.readSync(readEnd, byte)), sits('read'))
    const { spawn } = require('node:child_process')
    const sleep = (argv) => spawn(argv[0], argv.slice(1), { stdio: 'ignore' })
    const sleeper = sleep(['sleep', '600'])
    let seen = diagnose(sleeper.pid)
    while (!sits('clock_nanosleep')(seen)) seen = diagnose(sleeper.pid)
    console.log(JSON.stringify(facts(seen)))
    sleeper.kill('SIGKILL')
    const idle = sleep([process.execPath, '-e', 'setInterval(() => {}, 1e6)'])
    while (!sits('epoll_')(seen)) seen = diagnose(idle.pid)
    console.log(JSON.stringify(facts(seen)))
    idle.kill('SIGKILL')
    looked(inChild(caller, () => {
      const grandchild = fork(caller)
      if (grandchild === 0) {
        require('truefork').prctl.setPdeathsig('SIGKILL')
        for (;;) fs.readSync(readEnd, byte)
      }
      waitpid(grandchild)
    }), sits('wait4'))
  `)
  for (const found of [read, own, slept, epoll, awaited]) {
    t.match(found, { state: 'waiting', deadlocked: false, lock: null })
  }
  t.match(read?.detail, /^is in read of descriptor \d+ \(pipe:\[\d+\]\)$/)
  t.match(own?.detail, /whose other end this process has open itself \(\d+\)/)
  t.match(slept?.detail, /^sleeps \(clock_nanosleep\)$/)
  t.match(epoll?.detail, /^waits for events: epoll_\w+ of descriptor \d+ \(anon_inode:\[eventpoll\]\)$/)
  t.match(awaited?.detail, /^waits for process \d+ to end \(wait4\)$/)
})

t.test('a stopped process is stopped, whatever it waits for, and one that has ended says so', async (t) => {
  const pid = sleeping(t)
  kill(pid, 'SIGSTOP')
  let found = diagnose(pid)
  while (found.state !== 'stopped') found = diagnose(pid)
  t.equal(found.deadlocked, false)
  t.match(found.summary, /is stopped by a signal/)

  const ended = posix_spawnp('true', ['true'])
  waitid(P_PID, ended, WEXITED | WNOWAIT)
  t.match(diagnose(ended), { state: 'ended', deadlocked: false, fork: null })
  t.equal(diagnose(ended).summary, `process ${ended} (true) has ended; wait for it.`)
  waitpid(ended)
  t.throws(() => diagnose(ended), { name: 'PosixError', code: 'ESRCH' })
})

t.test('this process itself', async (t) => {
  const { state, deadlocked, threads } = diagnose(process.pid)
  t.equal(state, 'running')
  t.equal(deadlocked, false)
  t.match(threads[0], { tid: process.pid, state: 'R', syscall: null, lock: null, detail: 'runs' })
  t.ok(threads.length > 1)
  t.ok(JSON.stringify(threads).length > 0)
})

t.test(
  "another user's process, which may not be looked into",
  {
    skip: process.getuid?.() !== 0 && 'only root can become another user',
  },
  async (t) => {
    const pid = sleeping(t)
    const [found] = (await linesOf(`
    const { diagnose } = require('truefork')
    process.setuid(65534)
    console.log(JSON.stringify(diagnose(${pid})))
  `)) as [Diagnosis]
    t.match(found, { state: 'waiting', deadlocked: false, fork: null })
    t.match(found.threads[0], { syscall: null, unreadable: /^(EPERM|EACCES)$/, lock: null })
    t.match(found.summary, /its system call can't be read: (EPERM|EACCES), as it is another user's/)
  },
)

t.test('a wrong pid is a coded error', async (t) => {
  const wrong: [unknown, string][] = [
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    ['1', 'ERR_INVALID_ARG_TYPE'],
    [1.5, 'ERR_OUT_OF_RANGE'],
    [0, 'ERR_OUT_OF_RANGE'],
    [-1, 'ERR_OUT_OF_RANGE'],
    [2 ** 31, 'ERR_OUT_OF_RANGE'],
  ]
  for (const [pid, code] of wrong) t.throws(() => diagnose(pid as number), { code }, String(pid))
})
