import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  getpgid,
  getpgrp,
  getsid,
  kill,
  openpty,
  posix_spawnp,
  setpgid,
  setsid,
  tcgetpgrp,
  tcsetpgrp,
  waitpid,
} from 'truefork'
import { exiting, sleeping } from './support/child'
import { linesOf } from './support/fork'
import { startSession } from './support/session'
import { closing } from './support/shell'
import { runInTerminal, withoutTerminal } from './support/terminal'

const failure = (code: string, syscall: string) => ({ name: 'PosixError', code, syscall })
const notLinux = process.platform !== 'linux' && 'only Linux has /proc'

t.test('groups and sessions are those that the kernel tells', { skip: notLinux }, async (t) => {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  t.equal(getpgrp(), Number(group))
  t.equal(getpgid(0), Number(group))
  t.equal(getpgid(process.pid), Number(group))
  t.equal(getsid(0), Number(session))
  t.equal(getsid(process.pid), Number(session))
})

t.test('parent and child may both put the child into its group, whoever comes first', async (t) => {
  const lines = await linesOf(`
    const { getpgid, getpgrp, setpgid } = require('truefork')
    for (let i = 0; i < 20; i++) {
      const pid = fork(caller)
      if (pid === 0) {
        setpgid(0, 0)
        _exit(getpgrp() === process.pid ? 0 : 1)
      }
      setpgid(pid, pid)
      assert.strictEqual(getpgid(pid), pid)
      assert.strictEqual(ending(pid), 0)
    }
    console.log(getpgrp() === getpgid(process.pid))`)
  t.same(lines, [true])
}) // pgrp-01

t.test('a negative group, a process of nobody here, a group that there is not', async (t) => {
  const pid = exiting(0)
  waitpid(pid)
  t.throws(() => setpgid(0, -1), failure('EINVAL', 'setpgid'))
  t.throws(() => setpgid(process.ppid, 0), failure('ESRCH', 'setpgid'))
  t.throws(() => setpgid(pid, 0), failure('ESRCH', 'setpgid'))
  t.throws(() => getpgid(pid), failure('ESRCH', 'getpgid'))
  t.throws(() => getsid(pid), failure('ESRCH', 'getsid'))
  const lines = await linesOf(`
    const { setpgid } = require('truefork')
    const pid = fork(caller)
    if (pid !== 0) _exit(ending(pid))
    try { setpgid(0, 0x7fffffff) } catch ({ code, syscall }) { console.log(code, syscall) }`)
  t.same(lines, ['EPERM setpgid'])
}) // pgrp-02

t.test("a session's leader, another session, and a child that has called exec stay in their group", async (t) => {
  const elsewhere = sleeping(t, { setsid: true })
  t.throws(() => setpgid(elsewhere, elsewhere), { name: 'PosixError', code: /^(EPERM|EACCES)$/, syscall: 'setpgid' })
  const child = sleeping(t)
  t.throws(() => setpgid(child, child), failure('EACCES', 'setpgid'))
  const lines = await linesOf(`
    const { pipe, setpgid, setsid } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    const pid = fork(caller)
    if (pid === 0) {
      setsid()
      try { setpgid(0, 0) } catch ({ code }) { console.log(code, 'as the leader') }
      fs.writeSync(writeEnd, 'x')
      process.kill(process.pid, 'SIGSTOP')
      _exit(0)
    }
    fs.readSync(readEnd, Buffer.alloc(1))
    try { setpgid(pid, pid) } catch ({ code }) { console.log(code, 'in another session') }
    process.kill(pid, 'SIGKILL')
    waitpid(pid)`)
  t.same(lines, ['EPERM as the leader', 'EPERM in another session'])
}) // pgrp-03

t.test('setsid makes a forked child a leader, and refuses one who leads a group', async (t) => {
  const lines = await linesOf(`
    const { getpgrp, getsid, setpgid, setsid } = require('truefork')
    const plain = fork(caller)
    if (plain === 0) {
      const parents = getsid(process.ppid)
      const session = setsid()
      console.log(session === process.pid, getsid(0) === session, getpgrp() === session, parents !== session)
      _exit(0)
    }
    ending(plain)
    const leader = fork(caller)
    if (leader === 0) {
      setpgid(0, 0)
      try { setsid() } catch ({ code, syscall }) { console.log(code, syscall) }
      _exit(0)
    }
    ending(leader)`)
  t.same(lines, ['true true true true', 'EPERM setsid'])
}) // pgrp-04

t.test('a daemon by fork, setsid, fork: nobody of its line leads a session with it', async (t) => {
  const lines = await linesOf(`
    const { getppid, getsid, pipe, setsid, getpgrp } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    process.on('exit', () => fs.writeSync(writeEnd, ' exit:' + process.pid))
    const first = fork(caller)
    if (first === 0) {
      setsid()
      const leader = process.pid
      if (fork(caller) !== 0) _exit(0)
      process.chdir('/')
      fs.writeSync(writeEnd, [leader, process.pid, getsid(0), getpgrp(), process.cwd()].join(' '))
      process.exit(0)
    }
    ending(first)
    fs.closeSync(writeEnd)
    process.removeAllListeners('exit')
    const words = fs.readFileSync(readEnd, 'utf8').split(' ')
    const [leader, daemon, session, group, directory, exit] = words
    console.log(JSON.stringify([session === leader, group === leader, daemon !== leader, directory, exit === 'exit:' + daemon]))`)
  t.same(lines, [[true, true, true, '/', true]])
}) // fork.runtime-32

t.test('tcgetpgrp and tcsetpgrp want a terminal of this session', async (t) => {
  const { master, slave } = openpty()
  closing(t, master, slave)
  t.throws(() => tcgetpgrp(slave), failure('ENOTTY', 'tcgetpgrp'))
  t.throws(() => tcsetpgrp(slave, getpgrp()), failure('ENOTTY', 'tcsetpgrp'))
  t.throws(() => tcgetpgrp(9999), failure('EBADF', 'tcgetpgrp'))
  t.throws(() => tcsetpgrp(9999, 1), failure('EBADF', 'tcsetpgrp'))
})

t.test(
  'from the background, too, a group comes to the foreground without a SIGTTOU',
  { skip: withoutTerminal },
  async (t) => {
    const { stdout, code } = await runInTerminal(`
    const { getpgrp, posix_spawnp, sigprocmask, SIG_BLOCK, tcgetpgrp, tcsetpgrp, waitpid, kill } = require('truefork')
    const own = getpgrp()
    const pid = posix_spawnp('sleep', ['sleep', '600'], { setpgroup: 0 })
    tcsetpgrp(0, pid)
    console.log(String(tcgetpgrp(0) === pid))
    tcsetpgrp(0, own) // from the background: this would stop the process
    console.log(String(tcgetpgrp(0) === own), String(sigprocmask(SIG_BLOCK, []).length))
    for (const group of [0x7fffffff, -1]) {
      try { tcsetpgrp(0, group) } catch ({ code, syscall }) { console.log(code, syscall) }
    }
    kill(pid, 'SIGKILL')
    waitpid(pid)`)
    t.equal(code, 0)
    t.match(stdout, /^true\ntrue 0\n(EPERM|ESRCH) tcsetpgrp\nEINVAL tcsetpgrp\n$/)
  },
)

t.test('Ctrl-C reaches the group in the foreground, and no other', async (t) => {
  const session = startSession(t, [
    process.execPath,
    '-e',
    `const { posix_spawnp, tcsetpgrp, getpgrp, waitpid, describeStatus, kill } = require('truefork')
    const before = posix_spawnp('sleep', ['sleep', '600'], { setpgroup: 0 })
    const after = posix_spawnp('sleep', ['sleep', '600'], { setpgroup: 0 })
    tcsetpgrp(0, before)
    console.log('ready')
    console.log(JSON.stringify(describeStatus(waitpid(before).status)))
    tcsetpgrp(0, getpgrp())
    kill(after, 0)
    kill(after, 'SIGKILL')
    console.log('the other is there until', describeStatus(waitpid(after).status).signal)`,
  ])
  await session.seen('ready')
  session.type('\x03')
  await session.seen('"signal":"SIGINT"')
  await session.seen('until SIGKILL')
  t.same(await session.ended(), { kind: 'exited', code: 0 })
}) // pgrp-05

t.test('a child of another session is signalled all the same', async (t) => {
  const pid = posix_spawnp('sleep', ['sleep', '600'], { setsid: true })
  t.equal(getsid(pid), pid)
  t.equal(getpgid(pid), pid)
  kill(-pid, 'SIGTERM')
  waitpid(pid)
})

t.test('whoever leads its group already can not lead a session', async (t) => {
  const lines = await linesOf(`
    const { getpgrp, setsid, setpgid } = require('truefork')
    if (getpgrp() !== process.pid) setpgid(0, 0)
    try { setsid() } catch ({ code, syscall }) { console.log(code, syscall) }`)
  t.same(lines, ['EPERM setsid'])
  t.type(setsid, 'function')
})
