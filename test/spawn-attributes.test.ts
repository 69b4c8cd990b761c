import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { kill, type PosixSpawnOptions, posix_spawnp, SCHED_OTHER, SCHED_RR, waitpid } from 'truefork'
import { capture, exited, sleeping } from './support/child'
import { isChildless, signalBit, signalSets } from './support/process-state'
import { runProgram } from './support/program'
import { runInTerminal, withoutTerminal } from './support/terminal'

const { SIGINT, SIGPIPE, SIGTERM, SIGUSR1 } = constants.signals
const notLinux = process.platform !== 'linux' && 'only Linux has /proc'
const notRoot = process.getuid?.() !== 0 && 'only root can become another user'

/** The fields of proc_pid_stat(5) of a program with these options, from 3 (state) on. */
function statOfProgram(options: PosixSpawnOptions): { pid: number; field(number: number): number } {
  const { pid, stdout } = capture(['cat', '/proc/self/stat'], options)
  const fields = stdout.slice(stdout.lastIndexOf(')') + 2).split(' ')
  return { pid, field: (number) => Number(fields[number - 3]) }
}

const [pgrpField, sessionField, priorityField, policyField] = [5, 6, 40, 41]

// The C library's own: glibc's posix_spawn has the program ignore them.
const internalSignals = signalBit(32) | signalBit(33)

/** The signals that a program with these options ignores and blocks. */
function signalsOfProgram(options: PosixSpawnOptions = {}): { ignored: bigint; blocked: bigint } {
  const { SigIgn, SigBlk } = signalSets(capture(['cat', '/proc/self/status'], options).stdout)
  return { ignored: SigIgn & ~internalSignals, blocked: SigBlk }
}

t.afterEach(() => {
  isChildless()
})

t.test(
  'a program starts with no signal ignored or blocked, though Node ignores SIGPIPE',
  { skip: notLinux },
  async (t) => {
    t.ok((signalSets().SigIgn & signalBit(SIGPIPE)) !== 0n)
    t.same(signalsOfProgram(), { ignored: 0n, blocked: 0n })
  },
)

t.test('setsigdef says which signals are no longer ignored', { skip: notLinux }, async (t) => {
  const here = signalSets().SigIgn
  const ignored = (setsigdef: PosixSpawnOptions['setsigdef']) => signalsOfProgram({ setsigdef }).ignored
  t.equal(ignored([]), here)
  t.equal(ignored(['SIGTERM', SIGINT]), here)
  t.equal(ignored(['SIGPIPE']), here & ~signalBit(SIGPIPE))
  t.equal(ignored(new Set([SIGPIPE])), here & ~signalBit(SIGPIPE))
  t.equal(ignored(undefined), 0n)
}) // fork.signals-15

t.test('a signal that setsigmask blocks does not end the program', async (t) => {
  const { stdout, status } = capture(['sh', '-c', 'kill -USR1 $$; echo survived'], { setsigmask: ['SIGUSR1'] })
  t.equal(stdout, 'survived\n')
  t.same(status, exited(0))
}) // spawn-09

t.test(
  'setsigmask is the whole mask of the program, and no change of the caller its own',
  { skip: notLinux },
  async (t) => {
    const before = signalSets()
    const mask = (setsigmask: PosixSpawnOptions['setsigmask']) => signalsOfProgram({ setsigmask }).blocked
    t.equal(mask([SIGUSR1, 'SIGTERM']), signalBit(SIGUSR1) | signalBit(SIGTERM))
    t.equal(mask(new Set(['SIGINT'] as const)), signalBit(SIGINT))
    t.equal(mask([64]), signalBit(64))
    t.equal(mask([]), 0n)
    t.same(signalSets(), before)
  },
) // spawn-09, fork.signals-15

t.test('a signal that the C library keeps for itself is refused', { skip: notLinux }, async (t) => {
  for (const options of [{ setsigmask: [32] }, { setsigdef: [33] }]) {
    t.throws(() => posix_spawnp('true', ['true'], options), {
      name: 'PosixError',
      code: 'EINVAL',
      syscall: 'sigaddset',
    })
    t.ok(isChildless())
  }
}) // spawn-10, spawn-13

t.test('setpgroup puts the program into a group of its own or into another', { skip: notLinux }, async (t) => {
  const own = statOfProgram({}).field(pgrpField)
  const alone = statOfProgram({ setpgroup: 0 })
  t.equal(alone.field(pgrpField), alone.pid)
  t.equal(statOfProgram({ setpgroup: own }).field(pgrpField), own)
  const leader = sleeping(t, { setpgroup: 0 })
  t.equal(statOfProgram({ setpgroup: leader }).field(pgrpField), leader)
}) // spawn-08

t.test('a group that can not be is an error, and leaves no child', async (t) => {
  for (const [setpgroup, code] of [
    [-1, 'EINVAL'],
    [0x7fffffff, 'EPERM'],
  ] as const) {
    t.throws(() => posix_spawnp('true', ['true'], { setpgroup }), { name: 'PosixError', code, path: 'true' })
    t.ok(isChildless())
  }
}) // spawn-08

t.test('a signal to a group reaches each program in it, and no other', async (t) => {
  const leader = sleeping(t, { setpgroup: 0 })
  const member = sleeping(t, { setpgroup: leader })
  const other = sleeping(t)
  kill(-leader, 'SIGTERM')
  t.equal(waitpid(leader).status, SIGTERM)
  t.equal(waitpid(member).status, SIGTERM)
  kill(other, 'SIGKILL')
  t.equal(waitpid(other).status, constants.signals.SIGKILL)
}) // pgrp-05

t.test('setsid makes the program the leader of a new session', { skip: notLinux }, async (t) => {
  const here = statOfProgram({})
  const leader = statOfProgram({ setsid: true })
  t.equal(leader.field(sessionField), leader.pid)
  t.equal(leader.field(pgrpField), leader.pid)
  t.not(here.field(sessionField), here.pid)
  t.equal(statOfProgram({ setsid: false }).field(sessionField), here.field(sessionField))
}) // spawn-11

t.test('resetids makes the effective user and group the real ones', { skip: notRoot }, async (t) => {
  const { stdout, stderr } = await runProgram(`
    const { posix_spawnp, waitpid } = require('truefork')
    process.setegid(65534)
    process.seteuid(65534)
    for (const resetids of [undefined, false, true]) {
      waitpid(posix_spawnp('sh', ['sh', '-pc', 'echo $(id -u) $(id -g)'], { resetids }))
    }
    require('truefork')._exit(0) // handlers of the test runner's would need their old user`)
  t.equal(stderr, '')
  t.equal(stdout, '65534 65534\n65534 65534\n0 0\n')
}) // spawn-07

t.test('what only root may do is EPERM to others, and leaves no child', { skip: notRoot }, async (t) => {
  const { stdout } = await runProgram(`
    const { posix_spawnp, wait, SCHED_FIFO } = require('truefork')
    process.setgid(65534)
    process.setuid(65534)
    const scheduler = { policy: SCHED_FIFO, priority: 1 }
    for (const call of [() => posix_spawnp('true', ['true'], { scheduler }), wait]) {
      try { call() } catch ({ code, syscall }) { console.log(code, syscall) }
    }
    require('truefork')._exit(0) // handlers of the test runner's would need their old user`)
  t.equal(stdout, 'EPERM posix_spawn\nECHILD wait\n')
}) // spawn-42

t.test('scheduler sets the policy and the priority', { skip: notLinux }, async (t) => {
  t.equal(statOfProgram({ scheduler: { policy: SCHED_OTHER, priority: 0 } }).field(policyField), SCHED_OTHER)
  t.equal(statOfProgram({ scheduler: { priority: 0 } }).field(policyField), SCHED_OTHER)
}) // spawn-16

t.test('a real-time policy takes a priority', { skip: notLinux }, async (t) => {
  const options = { scheduler: { policy: SCHED_RR, priority: 7 } }
  try {
    const program = statOfProgram(options)
    t.equal(program.field(policyField), SCHED_RR)
    t.equal(program.field(priorityField), 7)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EPERM') throw error
    t.pass('skipped', { skip: 'real-time policies are not allowed here' })
  }
}) // spawn-16

t.test('a priority that the policy has not is EINVAL, and leaves no child', { skip: notLinux }, async (t) => {
  for (const scheduler of [{ policy: SCHED_OTHER, priority: 50 }, { priority: 50 }, { policy: 99, priority: 0 }]) {
    t.throws(() => posix_spawnp('true', ['true'], { scheduler }), { name: 'PosixError', code: 'EINVAL' })
    t.ok(isChildless())
  }
}) // spawn-16

t.test('tcsetpgrp makes the program its group the one in the foreground', { skip: withoutTerminal }, async (t) => {
  const { stdout, code } = await runInTerminal(`
    const { posix_spawnp, waitpid } = require('truefork')
    const fileActions = [{ action: 'tcsetpgrp', fd: 0 }]
    const pid = posix_spawnp('cat', ['cat', '/proc/self/stat'], { setpgroup: 0, fileActions })
    console.log(waitpid(pid).status + ' ' + pid)`)
  t.equal(code, 0)
  const [stat, told] = stdout.split('\n') as [string, string]
  const pid = told.split(' ')[1]
  t.equal(told, `0 ${pid}`)
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  t.equal(group, pid)
  t.equal(foreground, pid)
}) // spawn-33

/** A new cgroup (version 2), or why there is none. */
function newCgroup(): { directory: string } | { missing: string } {
  if (process.platform !== 'linux') return { missing: 'only Linux has cgroups' }
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  const root = mounts.find(([, , type]) => type === 'cgroup2')?.[1]
  if (root === undefined) return { missing: 'no cgroup2 is mounted here' }
  const directory = join(root, `truefork-test-${process.pid}`)
  try {
    mkdirSync(directory)
    return { directory }
  } catch (error) {
    return { missing: `no cgroup can be made here: ${error}` }
  }
}

t.test('cgroup has the program born in that cgroup, or is ENOSYS with an older C library', async (t) => {
  const made = newCgroup()
  if ('missing' in made) return t.pass('skipped', { skip: made.missing })
  const cgroup = openSync(made.directory, 'r')
  try {
    const run = () => capture(['cat', '/proc/self/cgroup'], { cgroup }).stdout
    if (hasSetcgroup()) return t.match(run(), `0::/truefork-test-${process.pid}`)
    return t.throws(run, { name: 'PosixError', code: 'ENOSYS', syscall: 'posix_spawnattr_setcgroup_np' })
  } finally {
    closeSync(cgroup)
    rmdirSync(made.directory)
  }
}) // spawn-34

/** glibc has it since 2.39; musl hasn't. */
function hasSetcgroup(): boolean {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  const [major = 0, minor = 0] = (header.glibcVersionRuntime ?? '').split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 39)
}

t.test(
  'the attributes of macOS are ENOSYS elsewhere',
  { skip: process.platform === 'darwin' && 'this is macOS' },
  async (t) => {
    for (const name of ['cloexecDefault', 'startSuspended', 'setexec']) {
      t.throws(() => posix_spawnp('true', ['true'], { [name]: true }), {
        name: 'PosixError',
        code: 'ENOSYS',
        syscall: 'posix_spawnattr_setflags',
      })
      t.equal(waitpid(posix_spawnp('true', ['true'], { [name]: false })).status, 0)
      t.ok(isChildless())
    }
  },
)
