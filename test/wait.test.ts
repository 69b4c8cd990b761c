import { closeSync, writeSync } from 'node:fs'
import t from 'tap'
import {
  describeStatus,
  kill,
  O_CLOEXEC,
  P_PID,
  pipe2,
  posix_spawnp,
  type ResourceUsage,
  WCONTINUED,
  WEXITED,
  WEXITSTATUS,
  WNOHANG,
  WNOWAIT,
  WUNTRACED,
  wait,
  wait3,
  wait4,
  waitid,
  waitpid,
} from 'truefork'
import { exited, exiting, sleeping } from './support/child'
import { onLoad, withoutCompiler } from './support/native'
import { isChildless } from './support/process-state'
import { runProgram } from './support/program'

const noChild = (syscall: string) => ({ name: 'PosixError', code: 'ECHILD', errno: -10, syscall })

/** Returns when the child has ended, and leaves it to be reaped. */
function awaitEnd(pid: number): void {
  waitid(P_PID, pid, WEXITED | WNOWAIT)
}

t.test('wait reaps a child and tells its status', async (t) => {
  const pid = exiting(7)
  t.same(wait(), { pid, status: 7 << 8 })
  t.throws(() => wait(), noChild('wait'))
}) // wait-02, wait-17

t.test('without children every wait fails with ECHILD', async (t) => {
  t.throws(() => wait(), noChild('wait'))
  t.throws(() => waitpid(-1), noChild('waitpid'))
  t.throws(() => waitpid(-1, WNOHANG), noChild('waitpid'))
  t.throws(() => waitpid(0), noChild('waitpid'))
  t.throws(() => wait3(), noChild('wait3'))
  t.throws(() => wait4(-1), noChild('wait4'))
}) // wait-01

t.test('a child is reaped once', async (t) => {
  const pid = exiting(3)
  t.equal(waitpid(pid).pid, pid)
  t.throws(() => waitpid(pid), noChild('waitpid'))
}) // wait-05

t.test('a process that is no child, or none at all, is ECHILD', async (t) => {
  for (const pid of [1, process.pid, process.ppid, 0x7fffffff]) {
    t.throws(() => waitpid(pid), noChild('waitpid'))
    t.throws(() => wait4(pid), noChild('wait4'))
  }
}) // wait-06, wait-11

t.test('unknown options are EINVAL, whether there is a child or not', async (t) => {
  const refused = { name: 'PosixError', code: 'EINVAL', errno: -22, syscall: 'waitpid' }
  t.throws(() => waitpid(-1, 0x8000), refused)
  t.throws(() => waitpid(1, 0x8000), refused)
  const pid = exiting(0)
  t.throws(() => waitpid(pid, 0x8000), refused)
  t.throws(() => waitpid(-1, 0x8000), refused)
  t.throws(() => wait3(0x8000), { ...refused, syscall: 'wait3' })
  t.throws(() => wait4(pid, 0x8000), { ...refused, syscall: 'wait4' })
  t.equal(waitpid(pid).pid, pid, 'and nothing was reaped')
}) // wait-06

t.test(
  'the lowest pid there is is no group',
  { skip: process.platform !== 'linux' && 'Linux says ESRCH' },
  async (t) => {
    t.throws(() => wait4(-0x80000000), { code: 'ESRCH', syscall: 'wait4' })
  },
) // wait-12

t.test('waitpid(-1) returns each of several children once', async (t) => {
  const expected = new Map([1, 2, 3, 4, 5].map((code) => [exiting(code), code]))
  const seen = new Map<number, number>()
  while (seen.size < expected.size) {
    const { pid, status } = waitpid(-1)
    t.notOk(seen.has(pid))
    seen.set(pid, WEXITSTATUS(status))
  }
  t.same(seen, expected)
  t.ok(isChildless())
}) // wait-07, wait-18

t.test('under WNOHANG a wait returns 0 until there is something to tell', async (t) => {
  const pid = sleeping(t)
  t.same(waitpid(pid, WNOHANG), { pid: 0, status: 0 })
  t.same(waitpid(-1, WNOHANG), { pid: 0, status: 0 })
  kill(pid, 'SIGTERM')
  awaitEnd(pid)
  const { status, ...reaped } = waitpid(pid, WNOHANG)
  t.same(reaped, { pid })
  t.same(describeStatus(status), { kind: 'signaled', signal: 'SIGTERM', core: false })
}) // wait-08, spawn-36

t.test('wait4 waits for the end and tells what the child used', async (t) => {
  const start = process.hrtime.bigint()
  const pid = posix_spawnp('sh', ['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.3'])
  const { rusage, ...rest } = wait4(pid)
  t.ok(process.hrtime.bigint() - start >= 300_000_000n)
  t.same(rest, { pid, status: 0 })
  t.same(Object.keys(rusage), Object.keys(process.resourceUsage()))
  t.ok(rusage.userCPUTime + rusage.systemCPUTime > 0)
  t.ok(rusage.maxRSS > 500 && rusage.maxRSS < 1_000_000, 'a shell has megabytes: the unit is kilobytes')
  t.ok(rusage.minorPageFault > 0)
}) // wait-10

t.test('wait3 tells the usage of the child that it reaps', async (t) => {
  const pid = exiting(9)
  const { rusage, ...rest } = wait3()
  t.same(rest, { pid, status: 9 << 8 })
  t.ok(rusage.maxRSS > 0)
}) // wait-10

t.test('the usage is all zero while there is nothing to tell', async (t) => {
  const pid = sleeping(t)
  const zero = Object.fromEntries(
    Object.keys(process.resourceUsage()).map((name) => [name, 0]),
  ) as unknown as ResourceUsage
  t.same(wait3(WNOHANG), { pid: 0, status: 0, rusage: zero })
  t.same(wait4(pid, WNOHANG), { pid: 0, status: 0, rusage: zero })
}) // wait-13

t.test('a child that stops and goes on is told each time, and reaped at its end', async (t) => {
  // It reads before it stops again: what comes next takes the place of a continuation that nobody has asked for yet.
  const [readEnd, writeEnd] = pipe2(O_CLOEXEC)
  const pid = posix_spawnp('sh', ['sh', '-c', 'kill -STOP $$; read line; kill -STOP $$; exit 42'], {
    fileActions: [{ action: 'dup2', fd: readEnd, newFd: 0 }],
  })
  t.same(describeStatus(waitpid(pid, WUNTRACED).status), { kind: 'stopped', signal: 'SIGSTOP' })
  t.same(waitpid(pid, WNOHANG | WUNTRACED), { pid: 0, status: 0 }, 'a stop is told once')
  kill(pid, 'SIGCONT')
  t.same(describeStatus(waitpid(pid, WCONTINUED).status), { kind: 'continued' })
  writeSync(writeEnd, 'line\n')
  for (const fd of [readEnd, writeEnd]) closeSync(fd)
  t.same(describeStatus(waitpid(pid, WUNTRACED).status), { kind: 'stopped', signal: 'SIGSTOP' })
  kill(pid, 'SIGCONT')
  t.same(describeStatus(waitpid(pid).status), exited(42))
  t.throws(() => waitpid(pid), noChild('waitpid'))
}) // wait-15

t.test('without WUNTRACED a stopped child is not told', async (t) => {
  const pid = sleeping(t)
  kill(pid, 'SIGSTOP')
  waitid(P_PID, pid, WUNTRACED | WNOWAIT)
  t.same(waitpid(pid, WNOHANG), { pid: 0, status: 0 })
}) // wait-15

t.test('a process group is waited for as a whole, and alone', async (t) => {
  const leader = exiting(1, { setpgroup: 0 })
  awaitEnd(leader)
  const member = exiting(2, { setpgroup: leader })
  const other = exiting(3)
  const reaped = [waitpid(-leader), waitpid(-leader)].map(({ pid }) => pid)
  t.same(new Set(reaped), new Set([leader, member]))
  t.throws(() => waitpid(-leader), noChild('waitpid'))
  t.same(waitpid(0), { pid: other, status: 3 << 8 }, '0 is the group of the caller')
}) // wait-07, pgrp-05

t.test('a wait goes on when a signal with a handler arrives', async (t) => {
  const { stdout, stderr, code } = await runProgram(`
    const { posix_spawnp, wait } = require('truefork')
    const seen = []
    process.on('SIGUSR1', (signal) => {
      seen.push(signal)
      console.log(JSON.stringify({ pid: reaped.pid === pid, status: reaped.status, seen }))
      process.exit()
    })
    setTimeout(() => {}, 15_000)
    const pid = posix_spawnp('sh', ['sh', '-c', 'kill -USR1 $PPID; sleep 0.2; exit 5'])
    const reaped = wait()`)
  t.equal(stderr, '')
  t.equal(code, 0)
  t.same(JSON.parse(stdout), { pid: true, status: 5 << 8, seen: ['SIGUSR1'] })
}) // wait-22

t.test('a wait is not interrupted by a signal that is ignored', async (t) => {
  const { stdout } = await runProgram(`
    const { posix_spawnp, wait } = require('truefork')
    posix_spawnp('sh', ['sh', '-c', 'kill -PIPE $PPID; sleep 0.2; exit 5'])
    console.log(wait().status >> 8)`)
  t.equal(stdout, '5\n')
}) // wait-22

t.test(
  'under an ignored SIGCHLD a wait lasts until the child is gone, and then fails',
  { skip: withoutCompiler },
  async (t) => {
    const ignore = onLoad(t.testdir({}), ['signal.h'], 'signal(SIGCHLD, SIG_IGN);')
    const { stdout, stderr } = await runProgram(`${ignore}
    const { posix_spawnp, waitpid } = require('truefork')
    const pid = posix_spawnp('sleep', ['sleep', '0.2'])
    try { waitpid(pid) } catch (error) { console.log(error.code) }
    try { process.kill(pid, 0) } catch (error) { console.log(error.code) }`)
    t.equal(stderr, '')
    t.equal(stdout, 'ECHILD\nESRCH\n')
  },
) // fork.signals-12

t.test('a Worker that is ended in the middle of a wait ends after it, and the process goes on', async (t) => {
  const worker = `
    const { posix_spawnp, waitpid } = require('truefork')
    const pid = posix_spawnp('sleep', ['sleep', '1'])
    require('node:worker_threads').parentPort.postMessage(pid)
    waitpid(pid)`
  const { stdout, stderr } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true })
    worker.on('message', async (pid) => {
      await new Promise((resolve) => setTimeout(resolve, 300)) // by now the Worker waits
      await worker.terminate()
      // On a busy machine it may have been ended before it came to wait: then the child is still there for us.
      try { console.log(require('truefork').waitpid(pid).pid === pid) } catch ({ code }) { console.log(code) }
    })`)
  t.equal(stderr, '')
  t.match(stdout, /^(ECHILD|true)\n$/)
}) // fork.hazard-17

t.test('every wait refuses a pid or options that are no int32', async (t) => {
  const calls = [waitpid, wait4] as ((pid: unknown, options?: unknown) => unknown)[]
  const pid = sleeping(t)
  for (const call of calls) {
    for (const value of ['1', null, undefined, {}, 1n]) {
      t.throws(() => call(value), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    }
    for (const value of [null, '0', {}]) t.throws(() => call(pid, value), { code: 'ERR_INVALID_ARG_TYPE' })
    for (const value of [1.5, Number.NaN, 2 ** 31, 2 ** 32 + pid]) {
      t.throws(() => call(value), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
      t.throws(() => call(pid, value), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    }
  }
  t.throws(() => (wait3 as (options: unknown) => unknown)('0'), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => wait3(0.5), { code: 'ERR_OUT_OF_RANGE' })
}) // wait-06
