import { constants } from 'node:os'
import t from 'tap'
import { describeStatus, kill, killpg, WNOHANG, WUNTRACED, waitpid } from 'truefork'
import { sleeping } from './support/child'
import { runProgram } from './support/program'

const failure = (code: string, syscall: string) => ({ name: 'PosixError', code, syscall })
const notRoot = process.getuid?.() !== 0 && 'only root can become another user'

t.test('kill sends a signal by name as by number', async (t) => {
  for (const signal of ['SIGTERM', constants.signals.SIGTERM] as const) {
    const pid = sleeping(t)
    t.equal(kill(pid, signal), undefined)
    t.same(describeStatus(waitpid(pid).status), { kind: 'signaled', signal: 'SIGTERM', core: false })
  }
}) // spawn-36

t.test('signal 0 asks only whether there is such a process', async (t) => {
  const pid = sleeping(t)
  kill(pid, 0)
  t.equal(waitpid(pid, WNOHANG).pid, 0)
  kill(pid, 'SIGKILL')
  kill(pid, 0) // a zombie still counts
  waitpid(pid)
  t.throws(() => kill(pid, 0), failure('ESRCH', 'kill'))
})

t.test('killpg and a negative pid reach each process of a group, and no other', async (t) => {
  for (const send of [(pgid: number) => killpg(pgid, 'SIGTERM'), (pgid: number) => kill(-pgid, 'SIGTERM')]) {
    const leader = sleeping(t, { setpgroup: 0 })
    const member = sleeping(t, { setpgroup: leader })
    const other = sleeping(t)
    send(leader)
    t.equal(waitpid(leader).status, constants.signals.SIGTERM)
    t.equal(waitpid(member).status, constants.signals.SIGTERM)
    t.equal(waitpid(other, WNOHANG).pid, 0)
  }
}) // pgrp-05

t.test('a stopped process is stopped until it goes on', async (t) => {
  const pid = sleeping(t)
  kill(pid, 'SIGSTOP')
  t.equal(describeStatus(waitpid(pid, WUNTRACED).status).kind, 'stopped')
  kill(pid, 'SIGTERM')
  kill(pid, 'SIGCONT')
  t.match(describeStatus(waitpid(pid).status), { kind: 'signaled', signal: 'SIGTERM' })
})

t.test('what the kernel refuses is its own error', async (t) => {
  const pid = sleeping(t)
  t.throws(() => kill(0x7fffffff, 'SIGTERM'), failure('ESRCH', 'kill'))
  t.throws(() => killpg(0x7fffffff, 'SIGTERM'), failure('ESRCH', 'killpg'))
  t.throws(() => kill(-0x80000000, 0), failure('ESRCH', 'kill'))
  t.throws(() => killpg(-1, 0), failure('EINVAL', 'killpg'))
  for (const signal of [-1, 65, 1000]) {
    t.throws(() => kill(pid, signal), failure('EINVAL', 'kill'))
    t.throws(() => killpg(0, signal), failure('EINVAL', 'killpg'))
  }
})

t.test('a process of somebody else is EPERM', { skip: notRoot }, async (t) => {
  const { stdout } = await runProgram(`
    const { kill, killpg } = require('truefork')
    const stdio = ['pipe', 'ignore', 'ignore'] // it ends with this process
    const group = require('node:child_process').spawn('cat', [], { detached: true, stdio }).pid
    process.setuid(65534)
    for (const call of [() => kill(1, 0), () => kill(1, 'SIGTERM'), () => killpg(group, 0)]) {
      try { call() } catch ({ code, syscall }) { console.log(code, syscall) }
    }
    require('truefork')._exit(0) // handlers of the test runner's would need their old user`)
  t.match(stdout, /^EPERM kill\nEPERM kill\nEPERM killpg\n$/)
})

t.test('a name that is no signal is refused', async (t) => {
  for (const name of ['TERM', 'sigterm', 'SIGNOTHING', '', '15', 'constructor']) {
    t.throws(() => kill(process.pid, name as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    t.throws(() => killpg(0, name as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
  }
})

t.test('a handler in JavaScript runs when the process signals itself', async (t) => {
  const { stdout } = await runProgram(`
    process.once('SIGUSR2', (signal) => console.log(signal))
    require('truefork').kill(process.pid, 'SIGUSR2')
    setTimeout(() => {}, 50)`)
  t.equal(stdout, 'SIGUSR2\n')
}) // fork.signals-13
