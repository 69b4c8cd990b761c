import t from 'tap'
import { Lock, RLock } from 'truefork/multiprocessing'
import { withoutAllThreads } from '../support/fork'
import { saidBy } from './support/sharing'

t.setTimeout(120_000) // for a busy machine

for (const kind of ['Lock', 'RLock']) {
  t.test(`a counter that four processes count up under one ${kind} misses nothing`, async (t) => {
    const lines = await saidBy(`
      const lock = new ${kind}()
      const count = new Value('i', 0, { lock: false })
      const turns = 400
      const countUp = async (isSync) => {
        for (let i = 0; i < turns; i++) {
          if (isSync) lock.acquireSync()
          else await lock.acquire()
          const before = count.value
          for (let work = 0; work < 200; work++);
          count.value = before + 1
          lock.release()
        }
      }
      const pids = []
      for (const isSync of [true, false, true, false]) pids.push(await started(() => countUp(isSync)))
      await countUp(false)
      for (const pid of pids) say(await ended(pid))
      say(count.value === 5 * turns, lock.locked())
    `)
    t.same(lines, [0, 0, 0, 0, [true, false]])
  })

  t.test(`the next one is told that a ${kind}'s holder was killed, and the one after isn't`, async (t) => {
    const lines = await saidBy(`
      const lock = new ${kind}()
      const warned = new Promise((resolve) => process.once('warning', resolve))
      const killed = () => { lock.acquireSync(); process.kill(process.pid, 'SIGKILL') }
      const first = await started(killed)
      say(await ended(first), lock.locked())
      say(lock.acquireSync(0), lock.ownerDied, lock.isOwn())
      lock.release()
      say(lock.ownerDied, await lock.acquire(0), lock.ownerDied)
      lock.release()
      const { name, code, message } = await warned
      say(name, code, message.includes(String(first)))
      say(await ended(await started(killed)), await lock.acquire(), lock.ownerDied)
    `)
    t.same(lines, [
      ['SIGKILL', true],
      [true, true, true],
      [false, true, false],
      ['OwnerDiedWarning', 'EOWNERDEAD', true],
      ['SIGKILL', true, true],
    ])
  })

  t.test(`whoever waits for a ${kind} gets it when its holder is killed`, async (t) => {
    const lines = await saidBy(`
      const lock = new ${kind}()
      for (const take of [() => lock.acquire(), () => lock.acquireSync()]) {
        const ready = new Event()
        const holder = await started(async () => { await lock.acquire(); ready.set(); await pause(100_000) })
        await ready.wait()
        const waiter = await started(async () => {
          ready.clear()
          say(await take(), lock.ownerDied)
          lock.release()
        })
        await until(() => !ready.isSet())
        process.kill(holder, 'SIGKILL')
        say(await ended(holder), await ended(waiter))
      }
    `)
    t.same(lines, [
      [true, true],
      ['SIGKILL', 0],
      [true, true],
      ['SIGKILL', 0],
    ])
  })

  t.test(`a child doesn't hold its parent's ${kind}, and gets it when the parent lets it go`, async (t) => {
    const lines = await saidBy(`
      const lock = new ${kind}()
      const ready = new Event()
      await lock.acquire()
      const child = await started(async () => {
        const before = [lock.locked(), lock.isOwn(), lock.acquireSync(0)]
        ready.set()
        say(...before, await lock.acquire(), lock.isOwn(), lock.ownerDied)
      })
      await ready.wait()
      lock.release()
      say(await ended(child))
    `)
    t.same(lines, [[true, false, false, true, true, false], 0])
  })

  t.test(
    `a wait for a ${kind} that is pending at a fork ends in both processes`,
    { skip: withoutAllThreads },
    async (t) => {
      const lines = await saidBy(`
      const lock = new ${kind}()
      const ready = new Event()
      const holder = await started(async () => { await lock.acquire(); ready.set(); await pause(100_000) })
      await ready.wait()
      const held = lock.acquire()
      const child = await started(async () => { await held; say('child', lock.isOwn()); lock.release() })
      process.kill(holder, 'SIGKILL')
      await held
      say('parent', lock.isOwn())
      lock.release()
      await ended(holder)
      await ended(child)
    `)
      t.same(lines.sort(), [
        ['child', true],
        ['parent', true],
      ])
    },
  )

  t.test(`a ${kind} that is held is waited for no longer than wanted`, async (t) => {
    const lines = await saidBy(`
      const lock = new ${kind}()
      const ready = new Event()
      const holder = await started(async () => { await lock.acquire(); ready.set(); await pause(100_000) })
      await ready.wait()
      say(await lock.acquire(0), await lock.acquire(-1), await lock.acquire(5), await lock.acquire({ timeoutMs: 5 }))
      say(lock.acquireSync(0), lock.acquireSync(5), lock.acquireSync(0.5))
      const name = (error) => [error.name, error.code]
      say(await lock.acquire({ signal: AbortSignal.abort() }).catch(name))
      const abort = new AbortController()
      setImmediate(() => abort.abort())
      say(await lock.acquire({ signal: abort.signal, timeoutMs: 100_000 }).catch(name))
      say(await lock.using(() => 1, 5).catch(name))
      process.kill(holder, 'SIGKILL')
      await ended(holder)
      say(await lock.acquire(100_000), lock.ownerDied)
    `)
    const aborted = ['AbortError', 'ABORT_ERR']
    t.same(lines, [
      [false, false, false, false],
      [false, false, false],
      aborted,
      aborted,
      ['PosixError', 'ETIMEDOUT'],
      [true, true],
    ])
  })
}

t.test('using() lets the lock go whatever the function does', async (t) => {
  const lock = new Lock()
  t.equal(await lock.using(() => lock.isOwn()), true)
  t.equal(await lock.using(async () => lock.isOwn()), true)
  await t.rejects(
    lock.using(() => {
      throw new Error('mine')
    }),
    { message: 'mine' },
  )
  t.equal(lock.locked(), false)
  await t.rejects(lock.using(1 as never), { code: 'ERR_INVALID_ARG_TYPE' })
})

t.test('an RLock is released as often as it was acquired', async (t) => {
  const lock = new RLock()
  t.ok((await lock.acquire()) && lock.acquireSync() && (await lock.acquire(0)))
  lock.release()
  lock.release()
  t.ok(lock.isOwn())
  lock.release()
  t.notOk(lock.locked())
  t.throws(() => lock.release(), { code: 'EPERM', syscall: 'release' })
})

t.test('any process may release a Lock, its holder alone an RLock', async (t) => {
  const lines = await saidBy(`
    for (const lock of [new Lock(), new RLock()]) {
      say(thrown(() => lock.release()))
      await lock.acquire()
      say(await ended(await started(() => say(thrown(() => lock.release()) ?? 'released'))), lock.locked())
    }
  `)
  const refused = ['PosixError', 'EPERM', 'release']
  t.same(lines, [refused, 'released', [0, false], refused, refused, [0, true]])
})

t.test('a Lock that nobody else could release is EDEADLK to its holder, and another waits', async (t) => {
  const lines = await saidBy(`
    const lock = new Lock()
    lock.acquireSync()
    say(thrown(() => lock.acquireSync()), lock.acquireSync(1))
    const ready = new Event()
    const child = await started(async () => { ready.set(); await pause(20); lock.release() })
    await ready.wait()
    say(lock.acquireSync()) // the child lets it go
    say(await ended(child), thrown(() => lock.acquireSync()))
  `)
  const deadlock = ['PosixError', 'EDEADLK', 'acquire']
  t.same(lines, [[deadlock, false], true, [0, deadlock]])
})

t.test('a lock whose holder sleeps until this child ends is EDEADLK', async (t) => {
  const lines = await saidBy(`
    for (const [lock, wait] of [
      [new Lock(), (pid) => require('truefork').waitpid(pid)],
      [new RLock(), () => require('truefork').wait()],
      [new Lock(), (pid) => require('truefork').waitid(1, pid, 4)],
    ]) {
      lock.acquireSync()
      const pid = await started(() => say(thrown(() => lock.acquireSync())))
      wait(pid)
    }
  `)
  const deadlock = ['PosixError', 'EDEADLK', 'acquire']
  t.same(lines, [deadlock, deadlock, deadlock])
})

t.test('a third process that may release a Lock is waited for, and one that has ended is not', async (t) => {
  const lines = await saidBy(`
    const { waitpid } = require('truefork')
    const lock = new Lock()
    const waiting = new Event()
    lock.acquireSync()
    const third = await started(async () => { await waiting.wait(); await pause(20); lock.release() })
    const child = await started(() => { waiting.set(); say(lock.acquireSync()) })
    waitpid(child)
    await ended(third)
    say(lock.acquireSync(), lock.ownerDied)
    waitpid(await started(() => say(thrown(() => lock.acquireSync()))))
    const recursive = new RLock()
    recursive.acquireSync()
    const other = await started(() => pause(100_000))
    waitpid(await started(() => say(thrown(() => recursive.acquireSync()))))
    process.kill(other, 'SIGKILL')
    await ended(other)
  `)
  const deadlock = ['PosixError', 'EDEADLK', 'acquire']
  t.same(lines, [true, [true, true], deadlock, deadlock])
})

t.test('a process that takes a lock again and again leaves others their turns', async (t) => {
  const lines = await saidBy(`
    const lock = new Lock()
    const turns = new Value('i')
    const greedy = async (take) => {
      while (turns.value < 60) {
        await take()
        for (let work = 0; work < 1000; work++);
        lock.release()
      }
    }
    const modest = async (take) => {
      for (let i = 0; i < 20; i++) {
        await take()
        turns.value++
        lock.release()
      }
    }
    const sync = () => lock.acquireSync()
    const pids = []
    for (const body of [greedy, greedy, modest]) pids.push(await started(() => body(sync)))
    for (const body of [modest, modest, greedy]) pids.push(await started(() => body(() => lock.acquire())))
    for (const pid of pids) say(await ended(pid))
  `)
  t.same(lines, [0, 0, 0, 0, 0, 0])
})

t.test('hundreds of locks can be waited for at once', async (t) => {
  const lines = await saidBy(`
    const locks = Array.from({ length: 300 }, () => new Lock())
    const [ready, go] = [new Event(), new Event()]
    const child = await started(async () => {
      for (const lock of locks) lock.acquireSync()
      ready.set()
      await go.wait()
      for (const lock of locks) lock.release()
    })
    await ready.wait()
    const waits = locks.map((lock) => lock.acquire())
    go.set()
    say((await Promise.all(waits)).every(Boolean), locks.every((lock) => lock.isOwn()), await ended(child))
  `)
  t.same(lines, [[true, true, 0]])
})

t.test('where the kernel watches no words for others they are looked at', async (t) => {
  const lines = await saidBy(`
    require('./dist/binding.js').binding.watchWord = () => -38 // ENOSYS
    const lock = new Lock()
    const ready = new Event()
    const child = await started(async () => { lock.acquireSync(); ready.set(); await pause(20); lock.release() })
    await ready.wait()
    say(await lock.acquire(1), await lock.acquire())
    lock.release()
    await ended(child)
    const killed = await started(() => { lock.acquireSync(); process.kill(process.pid, 'SIGKILL') })
    say(await ended(killed), await lock.acquire(), lock.ownerDied)
  `)
  t.same(lines, [
    [false, true],
    ['SIGKILL', true, true],
  ])
})

t.test('arguments are checked before anything happens', async (t) => {
  const lock = new Lock()
  for (const bad of [null, '1', true, [], () => 1]) {
    await t.rejects(lock.acquire(bad as never), { code: 'ERR_INVALID_ARG_TYPE' })
    t.throws(() => lock.acquireSync(bad as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  await t.rejects(lock.acquire(Number.NaN), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(lock.acquire({ timeoutMs: '1' as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.rejects(lock.acquire({ signal: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  t.notOk(lock.locked())
})
