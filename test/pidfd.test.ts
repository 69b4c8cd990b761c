import { spawnSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import t from 'tap'
import {
  F_GETFD,
  F_GETFL,
  FD_CLOEXEC,
  fcntl,
  getpid,
  kill,
  O_NONBLOCK,
  P_PIDFD,
  PIDFD_NONBLOCK,
  pidfd_open,
  pidfd_send_signal,
  posix_spawnp,
  WEXITED,
  WNOHANG,
  waitid,
  waitpid,
} from 'truefork'
import { exiting, sleeping } from './support/child'
import { onLoad, withoutCompiler } from './support/native'
import { openDescriptors } from './support/process-state'
import { runProgram } from './support/program'
import { closing } from './support/shell'

if (process.platform !== 'linux') {
  t.test('there are no pidfds here, and it is said so', async (t) => {
    t.throws(() => pidfd_open(getpid()), { code: 'ENOSYS', syscall: 'pidfd_open' })
    t.throws(() => pidfd_send_signal(0, 0), { code: 'ENOSYS', syscall: 'pidfd_send_signal' })
    t.equal(PIDFD_NONBLOCK, undefined)
  })
} else {
  testPidfds(P_PIDFD as number, PIDFD_NONBLOCK as number)
}

function testPidfds(idtype: number, nonBlocking: number): void {
  const refused = (code: string, syscall = 'pidfd_open') => ({
    name: 'PosixError',
    code,
    syscall,
  })

  t.test('a pidfd is a descriptor with FD_CLOEXEC', async (t) => {
    const pidfd = pidfd_open(getpid())
    closing(t, pidfd)
    t.ok(pidfd > 2)
    t.equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC)
    t.equal(fcntl(pidfd, F_GETFL) & O_NONBLOCK, 0)
    const other = pidfd_open(getpid(), nonBlocking)
    closing(t, other)
    t.equal(fcntl(other, F_GETFL) & O_NONBLOCK, O_NONBLOCK)
  }) // pidfd-01

  t.test('a process that is gone is ESRCH, what is no pid or flag EINVAL', async (t) => {
    const before = openDescriptors()
    const pid = exiting(0)
    waitpid(pid)
    t.throws(() => pidfd_open(pid), refused('ESRCH'))
    for (const bad of [-1, 0]) {
      t.throws(() => pidfd_open(bad), refused('EINVAL'))
    }
    t.throws(() => pidfd_open(getpid(), 1), refused('EINVAL'))
    t.same(openDescriptors(), before)
  }) // pidfd-02

  t.test('a pidfd is readable exactly when its process has ended', { skip: withoutCompiler }, async (t) => {
    const poll = onLoad(
      t.testdir(),
      ['poll.h', 'stdlib.h'],
      `struct pollfd set = { atoi(getenv("TRUEFORK_FD")), POLLIN, 0 };
      setenv("TRUEFORK_READY", poll(&set, 1, atoi(getenv("TRUEFORK_MS"))) == 1 ? "yes" : "no", 1);`,
    )
    const { stdout } = await runProgram(`
      const { kill, pidfd_open, posix_spawnp, waitpid } = require('truefork')
      const { copyFileSync } = require('node:fs')
      const pid = posix_spawnp('sleep', ['sleep', '600'])
      process.env.TRUEFORK_FD = pidfd_open(pid)
      let turn = 0
      function ready(milliseconds) {
        process.env.TRUEFORK_MS = milliseconds
        const path = ${poll.match(/"[^"]+on-load\.so"/)?.[0]}
        const copy = path + turn++ // each library is loaded once
        copyFileSync(path, copy)
        try { process.dlopen({ exports: {} }, copy) } catch {}
        return process.env.TRUEFORK_READY
      }
      const before = ready(20)
      kill(pid, 'SIGKILL')
      console.log(before, ready(-1), waitpid(pid).pid === pid, ready(0))`)
    t.equal(stdout, 'no yes true yes\n')
  }) // pidfd-03

  t.test('waitid on a non-blocking pidfd is EAGAIN until the end', async (t) => {
    const pid = sleeping(t)
    const pidfd = pidfd_open(pid, nonBlocking)
    closing(t, pidfd)
    t.throws(() => waitid(idtype, pidfd, WEXITED), refused('EAGAIN', 'waitid'))
    t.equal(waitid(idtype, pidfd, WEXITED | WNOHANG), null)
    pidfd_send_signal(pidfd, 'SIGKILL')
    let info: ReturnType<typeof waitid> = null
    while (info === null) info = waitid(idtype, pidfd, WEXITED | WNOHANG)
    t.match(info, { pid, status: 9 })
    t.throws(() => waitid(idtype, pidfd, WEXITED), refused('ECHILD', 'waitid'))
  }) // pidfd-04

  t.test('a bad signal is EINVAL, what is no pidfd EBADF', async (t) => {
    const pidfd = pidfd_open(getpid())
    closing(t, pidfd)
    const send = (fd: number, signal: number) => () => pidfd_send_signal(fd, signal)
    t.throws(send(pidfd, 65), refused('EINVAL', 'pidfd_send_signal'))
    t.throws(send(pidfd, -1), refused('EINVAL', 'pidfd_send_signal'))
    t.throws(send(-1, 0), refused('EBADF', 'pidfd_send_signal'))
    const file = openSync('/dev/null', 'r')
    closing(t, file)
    t.throws(send(file, 0), refused('EBADF', 'pidfd_send_signal'))
    t.doesNotThrow(() => pidfd_send_signal(pidfd, 0))
  }) // pidfd-05

  const notRoot = process.getuid?.() === 0 ? false : 'only root has a user to give up'
  t.test('another user is EPERM', { skip: notRoot }, async (t) => {
    const { stdout, stderr } = await runProgram(`
      const { pidfd_open, pidfd_send_signal } = require('truefork')
      const pidfd = pidfd_open(process.ppid)
      process.setuid(65534)
      try { pidfd_send_signal(pidfd, 0) } catch ({ code }) { console.log(code) }`)
    t.equal(stderr, '')
    t.equal(stdout, 'EPERM\n')
  }) // pidfd-05

  t.test('a pidfd never comes to mean a later process with its pid', async (t) => {
    const pid = sleeping(t)
    const pidfd = pidfd_open(pid)
    closing(t, pidfd)
    kill(pid, 'SIGKILL')
    waitpid(pid)
    t.throws(() => pidfd_send_signal(pidfd, 'SIGKILL'), refused('ESRCH', 'pidfd_send_signal'))
    if (!isGivenAgain(pid)) {
      t.pass('the pid given again', { skip: 'ns_last_pid can not be written here, or others make processes, too' })
      return
    }
    t.throws(() => pidfd_send_signal(pidfd, 'SIGKILL'), refused('ESRCH', 'pidfd_send_signal'))
    kill(pid, 'SIGTERM')
    t.match(waitpid(pid), { pid, status: 15 })
  }) // pidfd-06

  t.test('a spawned program does not inherit it', async (t) => {
    const pid = sleeping(t)
    const pidfd = pidfd_open(pid)
    closing(t, pidfd)
    const { status } = spawnSync('test', ['-e', `/proc/self/fd/${pidfd}`])
    t.equal(status, 1)
    kill(pid, 'SIGKILL')
    t.match(waitid(idtype, pidfd, WEXITED), { pid, status: 9 })
  }) // pidfd-07

  t.test('a descriptor that is closed is EBADF', async (t) => {
    const pidfd = pidfd_open(getpid())
    closeSync(pidfd)
    t.throws(() => pidfd_send_signal(pidfd, 0), refused('EBADF', 'pidfd_send_signal'))
    t.throws(() => waitid(idtype, pidfd, WEXITED), refused('EBADF', 'waitid'))
  })
}

t.test('wrong arguments are refused', async (t) => {
  const open = pidfd_open as (...words: unknown[]) => number
  const send = pidfd_send_signal as (...words: unknown[]) => void
  for (const value of ['1', null, undefined, {}, 1n]) {
    t.throws(() => open(value), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    if (value !== undefined) t.throws(() => open(1, value), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    t.throws(() => send(value, 0), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const value of [0.5, Number.NaN, 2 ** 31]) {
    t.throws(() => open(value), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => open(1, value), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => send(0, value), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
  }
  t.throws(() => send(0, 'SIGNOTHING'), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => send(0, null), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
})

/** Whether a child could be made that has this pid, as the kernel gives them in turn. */
function isGivenAgain(pid: number): boolean {
  try {
    for (let turn = 0; turn < 50; turn++) {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1))
      const child = posix_spawnp('sleep', ['sleep', '600'])
      if (child === pid) return true
      kill(child, 'SIGKILL')
      waitpid(child)
    }
  } catch {} // needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE
  return false
}
