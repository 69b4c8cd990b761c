// Waits as promises, in this test's own process.
import { closeSync, readdirSync, readSync } from 'node:fs'
import { constants } from 'node:os'
import t from 'tap'
import {
  CLD_EXITED,
  CLD_STOPPED,
  describeStatus,
  kill,
  O_CLOEXEC,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  PIDFD_NONBLOCK,
  pidfd_open,
  pipe2,
  posix_spawnp,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  WUNTRACED,
  waitpid as waitpidSync,
} from 'truefork'
import { wait4, waitid, waitpid } from 'truefork/promises'
import { exited, exiting, sleeping } from './support/child'
import { isChildless, openDescriptors } from './support/process-state'

const notLinux = process.platform !== 'linux' && 'only Linux has pidfds and /proc'
const aborted = { name: 'AbortError', code: 'ABORT_ERR' }

const noChild = (syscall: string) => ({ name: 'PosixError', code: 'ECHILD', errno: -10, syscall })

t.test('each wait tells what its call tells', async (t) => {
  const pids = [exiting(3), exiting(4), exiting(5)] as const
  t.same(await waitpid(pids[0]), { pid: pids[0], status: 3 << 8 })
  const { rusage, ...rest } = await wait4(pids[1])
  t.same(rest, { pid: pids[1], status: 4 << 8 })
  t.ok(rusage.maxRSS > 0)
  const info = await waitid(P_PID, pids[2], WEXITED)
  t.match(info, { pid: pids[2], status: 5, code: CLD_EXITED })
  t.ok(isChildless())
})

t.test('a wait begun before the end resolves with it, and the event loop goes on meanwhile', async (t) => {
  const pid = sleeping(t)
  const waiting = waitpid(pid)
  await new Promise((resolve) => setTimeout(resolve, 20))
  kill(pid, 'SIGTERM')
  t.same(describeStatus((await waiting).status), { kind: 'signaled', signal: 'SIGTERM', core: false })
})

t.test('a wait on what is no child is ECHILD', async (t) => {
  for (const pid of [1, process.pid, 2 ** 31 - 1]) {
    await t.rejects(waitpid(pid), noChild('waitpid'))
    await t.rejects(wait4(pid), noChild('wait4'))
    await t.rejects(waitid(P_PID, pid, WEXITED), noChild('waitid'))
  }
  for (const pid of [-1, 0, -process.pid]) await t.rejects(waitpid(pid), noChild('waitpid'))
  await t.rejects(waitid(P_ALL, 0, WEXITED), noChild('waitid'))
  await t.rejects(wait4(-(2 ** 31)), { code: 'ESRCH', syscall: 'wait4' })
}) // wait-21

t.test('a wait for any child, and for a group, tells of each once', async (t) => {
  const pids = [exiting(1), exiting(1), exiting(1)]
  const results = await Promise.all(pids.map(() => waitpid(-1)))
  t.same(results.map(({ pid }) => pid).sort(), [...pids].sort())
  const leader = exiting(2, { setpgroup: 0 })
  t.same(await waitpid(-leader), { pid: leader, status: 2 << 8 })
  const other = exiting(2, { setpgroup: 0 })
  t.match(await waitid(P_PGID, other, WEXITED), { pid: other })
  t.ok(isChildless())
})

t.test('two waits for one child: one has it, the other is ECHILD', async (t) => {
  const pid = sleeping(t)
  const waits = [waitpid(pid), waitpid(pid)]
  kill(pid, 'SIGKILL')
  const outcomes = await Promise.allSettled(waits)
  t.same(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const rejected = outcomes.find((outcome) => outcome.status === 'rejected')
  t.match(rejected, { reason: noChild('waitpid') })
})

t.test('an aborted wait rejects and reaps nothing', { skip: notLinux }, async (t) => {
  const before = openDescriptors().length
  const pid = sleeping(t)
  const controller = new AbortController()
  const control = { signal: controller.signal }
  const waits = [
    waitpid(pid, 0, control),
    wait4(pid, WUNTRACED, control),
    waitpid(-1, 0, control),
    waitid(P_PID, pid, WEXITED, control),
  ]
  const rejected = Promise.all(waits.map((wait) => t.rejects(wait, aborted)))
  controller.abort(new Error('enough'))
  await rejected
  kill(pid, 'SIGKILL')
  t.match(await waitpid(pid), { pid })
  // The descriptor that watches stays; that of the wait doesn't.
  t.ok(openDescriptors().length <= before + 1)
}) // wait-19

t.test('an abort that comes after the end still reaps nothing', async (t) => {
  const pid = sleeping(t)
  const controller = new AbortController()
  const wait = t.rejects(waitpid(pid, 0, { signal: controller.signal }), aborted)
  kill(pid, 'SIGKILL')
  // Ended for certain, and told to nobody.
  while ((await waitid(P_PID, pid, WEXITED | WNOWAIT | WNOHANG)) === null);
  controller.abort()
  await wait
  t.match(waitpidSync(pid), { pid })
}) // wait-19

t.test('a signal that has aborted before rejects before anything happens', async (t) => {
  const pid = exiting(6)
  const control = { signal: AbortSignal.abort('why') }
  for (const wait of [waitpid(pid, 0, control), wait4(pid, 0, control), waitid(P_PID, pid, WEXITED, control)]) {
    await t.rejects(wait, { ...aborted, cause: 'why' })
  }
  t.same(describeStatus(waitpidSync(pid).status), exited(6))
})

t.test('one signal aborts any number of waits without a warning', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', note)
  const controller = new AbortController()
  const pids = Array.from({ length: 30 }, () => sleeping(t))
  const waits = pids.map((pid) => t.rejects(waitpid(pid, 0, { signal: controller.signal }), aborted))
  controller.abort()
  await Promise.all(waits)
  await new Promise(setImmediate)
  process.off('warning', note)
  t.same(warnings, [])
})

t.test('WNOHANG answers at once', async (t) => {
  const pid = sleeping(t)
  t.same(await waitpid(pid, WNOHANG), { pid: 0, status: 0 })
  t.match(await wait4(pid, WNOHANG), { pid: 0, status: 0 })
  t.equal(await waitid(P_PID, pid, WEXITED | WNOHANG), null)
})

t.test('stops and going on are told, and the end at last', async (t) => {
  const pid = sleeping(t)
  const next = async (): Promise<string> => describeStatus((await waitpid(pid, WUNTRACED | WCONTINUED)).status).kind
  const stopped = next()
  kill(pid, 'SIGSTOP')
  t.equal(await stopped, 'stopped')
  const continued = next()
  kill(pid, 'SIGCONT')
  t.equal(await continued, 'continued')
  const stoppedAgain = waitid(P_PID, pid, WSTOPPED)
  kill(pid, 'SIGSTOP')
  t.match(await stoppedAgain, { pid })
  const ended = next()
  kill(pid, 'SIGKILL')
  t.equal(await ended, 'signaled')
})

t.test('WNOWAIT leaves the child to be waited for again', async (t) => {
  const pid = sleeping(t)
  const looks = [waitid(P_PID, pid, WEXITED | WNOWAIT), waitid(P_PID, pid, WEXITED | WNOWAIT)]
  kill(pid, 'SIGKILL')
  const [first, second] = await Promise.all(looks)
  t.match(first, { pid })
  t.same(second, first)
  t.same(await waitid(P_PID, pid, WEXITED), first)
})

t.test('a pidfd is waited for, be it non-blocking or closed meanwhile', { skip: notLinux }, async (t) => {
  for (const flags of [0, PIDFD_NONBLOCK as number]) {
    const pid = sleeping(t)
    const pidfd = pidfd_open(pid, flags)
    const wait = waitid(P_PIDFD as number, pidfd, WEXITED)
    await new Promise(setImmediate)
    closeSync(pidfd)
    kill(pid, 'SIGKILL')
    t.match(await wait, { pid })
  }
  const own = pidfd_open(process.pid) // which would never be told of its end
  await t.rejects(waitid(P_PIDFD as number, own, WEXITED), noChild('waitid'))
  closeSync(own)
  await t.rejects(waitid(P_PIDFD as number, own, WEXITED), { code: 'EBADF', syscall: 'waitid' })
}) // pidfd-04, pidfd-07

t.test('a process that is no child is waited for by its pidfd', { skip: notLinux }, async (t) => {
  // The shell's child: its end is told to the shell.
  const [readEnd, writeEnd] = pipe2(O_CLOEXEC)
  const shell = posix_spawnp('sh', ['sh', '-c', 'sleep 1000 & echo $!; wait $!'], {
    fileActions: [{ action: 'dup2', fd: writeEnd, newFd: 1 }],
  })
  const line = Buffer.alloc(32)
  const pid = Number(line.toString('latin1', 0, readSync(readEnd, line)))
  for (const fd of [readEnd, writeEnd]) closeSync(fd)
  const pidfd = pidfd_open(pid)
  const control = new AbortController()
  const aborted = waitid(P_PIDFD as number, pidfd, WEXITED, { signal: control.signal })
  const wait = waitid(P_PIDFD as number, pidfd, WEXITED)
  await t.rejects(waitid(P_PIDFD as number, pidfd, WSTOPPED), noChild('waitid'))
  control.abort()
  await t.rejects(aborted, { code: 'ABORT_ERR' })
  kill(pid, 'SIGKILL')
  t.same(await wait, { pid, uid: -1, signo: constants.signals.SIGCHLD, status: 0, code: 0 })
  await waitpid(shell)
  await t.rejects(waitid(P_PIDFD as number, pidfd, WEXITED), noChild('waitid'), 'it is gone')
  closeSync(pidfd)
})

t.test('a stop is told by a pidfd, too', { skip: notLinux }, async (t) => {
  const pid = sleeping(t)
  const pidfd = pidfd_open(pid)
  const wait = waitid(P_PIDFD as number, pidfd, WSTOPPED)
  kill(pid, 'SIGSTOP')
  t.match(await wait, { pid, code: CLD_STOPPED })
  closeSync(pidfd)
})

t.test('bad options are EINVAL', async (t) => {
  const pid = sleeping(t)
  await t.rejects(waitpid(pid, 0x10000), { code: 'EINVAL', syscall: 'waitpid' })
  await t.rejects(wait4(-1, 0x10000), { code: 'EINVAL', syscall: 'wait4' })
  await t.rejects(waitid(P_PID, pid, 0), { code: 'EINVAL', syscall: 'waitid' })
  await t.rejects(waitid(99, pid, WEXITED), { code: 'EINVAL', syscall: 'waitid' })
}) // wait-06, waitid-02

t.test('a wrong argument rejects before anything happens', async (t) => {
  const calls = { waitpid, wait4, waitid } as Record<string, (...words: unknown[]) => Promise<unknown>>
  const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
  const pid = exiting(7)
  for (const [name, call] of Object.entries(calls)) {
    const before = name === 'waitid' ? [P_PID] : []
    for (const value of ['1', null, undefined, {}, 1n]) await t.rejects(call(...before, value, WEXITED), wrongType)
    for (const value of ['1', null, {}, 1n]) await t.rejects(call(...before, pid, value), wrongType)
    for (const value of [0.5, Number.NaN, 2 ** 31]) {
      await t.rejects(call(...before, value, WEXITED), outOfRange)
      await t.rejects(call(...before, pid, value), outOfRange)
    }
    for (const control of [null, 1, [], { signal: null }, { signal: {} }, { signal: 'x' }]) {
      await t.rejects(call(...before, pid, WEXITED, control), wrongType)
    }
  }
  t.same(describeStatus(waitpidSync(pid).status), exited(7))
})

t.test('waits take no thread', { skip: notLinux }, async (t) => {
  const threads = (): number => readdirSync('/proc/self/task').length
  const before = threads()
  const pids = Array.from({ length: 50 }, () => posix_spawnp('sleep', ['sleep', '600']))
  const waits = pids.map((pid) => waitpid(pid))
  const any = t.rejects(waitid(P_ALL, 0, WSTOPPED), noChild('waitid')) // as soon as none is left
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(threads(), before)
  for (const pid of pids) kill(pid, 'SIGKILL')
  t.equal((await Promise.all(waits)).length, 50)
  await any
})
