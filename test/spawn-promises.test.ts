// posix_spawn as a promise.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { describeStatus, O_RDONLY, wait, waitpid as waitpidSync } from 'truefork'
import { posix_spawn, posix_spawnp, waitpid } from 'truefork/promises'
import { exited } from './support/child'
import { isChildless, openDescriptors } from './support/process-state'
import { runProgram } from './support/program'

const notLinux = process.platform !== 'linux' && 'only Linux shows a child before its exec'
const aborted = { name: 'AbortError', code: 'ABORT_ERR' }

function fifo(t: { testdir(): string }): string {
  const path = join(t.testdir(), 'fifo')
  execFileSync('mkfifo', [path])
  return path
}

/** Standard input from a FIFO: without a writer the child hangs before its exec. */
function fromFifo(path: string): Parameters<typeof posix_spawn>[2] {
  return { fileActions: [{ action: 'open', fd: 0, path, flags: O_RDONLY }] }
}

t.test('a program runs, and its pid is told', async (t) => {
  const pids = await Promise.all([
    posix_spawn('/bin/sh', ['sh', '-c', 'exit 3']),
    posix_spawnp('sh', ['sh', '-c', 'exit $CODE'], { env: { CODE: '4' } }),
  ])
  t.same(await Promise.all(pids.map((pid) => waitpid(pid))), [
    { pid: pids[0], status: 3 << 8 },
    { pid: pids[1], status: 4 << 8 },
  ])
  t.ok(isChildless())
})

t.test('the calls that block wait for such a child, too', async (t) => {
  const first = await posix_spawnp('sh', ['sh', '-c', 'exit 5'])
  t.same(waitpidSync(first), { pid: first, status: 5 << 8 })
  const rest = new Set(await Promise.all([1, 2, 3].map((code) => posix_spawnp('sh', ['sh', '-c', `exit ${code}`]))))
  while (rest.size > 0) t.ok(rest.delete(wait().pid))
  t.ok(isChildless())
})

t.test('the environment is that of the moment of the call', async (t) => {
  process.env['TRUEFORK_MOMENT'] = '6'
  const spawning = posix_spawn('/bin/sh', ['sh', '-c', 'exit $TRUEFORK_MOMENT'])
  process.env['TRUEFORK_MOMENT'] = '7'
  t.same(describeStatus((await waitpid(await spawning)).status), exited(6))
})

t.test('the signal mask is that of the thread that calls', { skip: notLinux }, async (t) => {
  const { stdout, stderr } = await runProgram(`
    const { sigprocmask, SIG_BLOCK } = require('truefork')
    sigprocmask(SIG_BLOCK, ['SIGUSR1'])
    require('truefork/promises').posix_spawnp('grep', ['grep', 'SigBlk', '/proc/self/status'])`)
  t.equal(stderr, '')
  t.equal(stdout, 'SigBlk:\t0000000000000200\n')
})

t.test('what fails in the child rejects, and no child is left', async (t) => {
  const missing = { name: 'PosixError', code: 'ENOENT', syscall: 'posix_spawn', path: '/nonexistent' }
  await t.rejects(posix_spawn('/nonexistent', ['x']), missing)
  await t.rejects(posix_spawnp('no-such-program', ['x']), { ...missing, path: 'no-such-program' })
  await t.rejects(posix_spawnp('cat', ['cat'], fromFifo('/nonexistent')), { ...missing, syscall: 'open' })
  const refused = { fileActions: [{ action: 'close', fd: -1 }] } as const
  await t.rejects(posix_spawnp('true', ['true'], refused), { code: 'EBADF', syscall: 'close' })
  await t.rejects(posix_spawnp('true', ['true'], { setsigmask: [32] }), { code: 'EINVAL', syscall: 'sigaddset' })
  t.ok(isChildless())
}) // spawn-02, wait-23

t.test('a wrong argument rejects before anything happens', async (t) => {
  const call = posix_spawn as (...words: unknown[]) => Promise<number>
  await t.rejects(call(1, ['x']), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.rejects(call('/bin/true', 'true'), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.rejects(call('/bin/true', []), { code: 'ERR_INVALID_ARG_VALUE' })
  await t.rejects(call('a\0b', ['x']), { code: 'ERR_INVALID_ARG_VALUE' })
  await t.rejects(call('/bin/true', ['true'], { fileActions: [{}] }), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const control of [null, 1, [], { signal: null }, { signal: {} }]) {
    await t.rejects(call('/bin/true', ['true'], {}, control), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.ok(isChildless())
})

t.test('a spawn that hangs does not hold the event loop up', async (t) => {
  const path = fifo(t)
  let isMade = false
  const spawning = posix_spawnp('cat', ['cat'], fromFifo(path)).then((pid) => {
    isMade = true
    return pid
  })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 2))
  t.equal(isMade, false)
  closeSync(openSync(path, 'w')) // opens as the child does
  t.same(describeStatus((await waitpid(await spawning)).status), exited(0))
})

t.test('an aborted spawn that hangs leaves no child', { skip: notLinux }, async (t) => {
  const path = fifo(t)
  const before = openDescriptors()
  for (const moment of [0, 0, 0, 30]) {
    const controller = new AbortController()
    const spawning = t.rejects(posix_spawnp('cat', ['cat'], fromFifo(path), { signal: controller.signal }), {
      ...aborted,
      cause: 'enough',
    })
    if (moment > 0) await new Promise((resolve) => setTimeout(resolve, moment))
    controller.abort('enough')
    await spawning
    t.ok(isChildless())
  }
  t.same(openDescriptors(), before)
}) // spawn-45

t.test('an abort at any moment leaves either a child that is told or none', async (t) => {
  const outcomes = new Set<string>()
  for (let round = 0; round < 60; round++) {
    const controller = new AbortController()
    const spawning = posix_spawnp('sleep', ['sleep', '600'], {}, { signal: controller.signal })
    const abort = () => controller.abort()
    if (round % 3 === 0) abort()
    else if (round % 3 === 1) setImmediate(abort)
    else setTimeout(abort, round / 10)
    try {
      const pid = await spawning
      outcomes.add('made')
      process.kill(pid, 'SIGKILL')
      t.match(await waitpid(pid), { pid })
    } catch (error) {
      t.match(error, aborted)
      outcomes.add('aborted')
    }
    if (!isChildless()) t.fail('a child is left')
  }
  t.ok(outcomes.has('aborted'))
})

t.test('a signal that has aborted before rejects, and nothing is made', async (t) => {
  const control = { signal: AbortSignal.abort() }
  await t.rejects(posix_spawnp('true', ['true'], {}, control), aborted)
  await t.rejects(posix_spawn('/nonexistent', ['x'], {}, control), aborted)
  t.ok(isChildless())
})

t.test('an abort after the pid was told leaves the child alone', async (t) => {
  const controller = new AbortController()
  const pid = await posix_spawnp('sh', ['sh', '-c', 'exit 8'], {}, { signal: controller.signal })
  controller.abort()
  t.same(describeStatus((await waitpid(pid)).status), exited(8))
})

t.test('more spawns than the pool has threads are all made', async (t) => {
  const pids = await Promise.all(Array.from({ length: 100 }, (_, i) => posix_spawnp('sh', ['sh', '-c', `exit ${i}`])))
  const codes = await Promise.all(pids.map(async (pid) => (await waitpid(pid)).status >> 8))
  t.same(
    codes,
    pids.map((_, i) => i),
  )
  t.ok(isChildless())
})

t.test('a pending spawn keeps the process alive until its promise is settled', async (t) => {
  const { code, stdout, stderr } = await runProgram(`
    const { posix_spawnp, waitpid } = require('truefork/promises')
    posix_spawnp('echo', ['echo', 'hello']).then(waitpid).then(({ status }) => console.log(status))`)
  t.same({ code, stdout, stderr }, { code: 0, stdout: 'hello\n0\n', stderr: '' })
})
