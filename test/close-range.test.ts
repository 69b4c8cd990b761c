// closefrom and close_range. What they do to a Node is done in programs of their own.
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  CLOSE_RANGE_CLOEXEC,
  close_range,
  closefrom,
  dup2,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  FD_CLOEXEC,
  fcntl,
  fdTable,
  pipe,
} from 'truefork'
import { linesOf, withoutAllThreads } from './support/fork'
import { onLoad, withoutCompiler } from './support/native'
import { root, runProgram } from './support/program'
import { descriptorsOfProgram } from './support/shell'

const failure = (code: string, syscall: string) => ({ name: 'PosixError', code, syscall })
const notLinux = process.platform !== 'linux' && 'ENOSYS there'

// What the tests were started with.
const inherited = new Set(fdTable().map(({ fd }) => fd))

const above = (least: number): number[] =>
  fdTable()
    .map(({ fd }) => fd)
    .filter((fd) => fd >= least && !inherited.has(fd))

/** Opens these numbers, without FD_CLOEXEC. */
function open(...numbers: number[]): void {
  for (const number of numbers) dup2(0, number)
}

t.test('close_range closes a range with its gaps, and nothing beside it', { skip: notLinux }, async (t) => {
  open(400, 401, 403, 410, 411)
  close_range(401, 410)
  t.same(above(400), [400, 411])
  close_range(400, 411, 0)
  t.same(above(400), [])
  close_range(400, 500)
}) // pidfd-08

t.test('with the highest number there can be, and as many, it closes to the end', { skip: notLinux }, async (t) => {
  for (const last of [0x7fffffff, ~0]) {
    open(400, 450, 1000)
    close_range(401, last)
    t.same(above(400), [400])
  }
  close_range(400, 400)
}) // pidfd-08

t.test('CLOSE_RANGE_CLOEXEC closes at an exec, and nothing now', { skip: notLinux }, async (t) => {
  open(90, 91, 92)
  close_range(91, ~0, CLOSE_RANGE_CLOEXEC)
  t.same(above(90), [90, 91, 92])
  t.same(
    [90, 91, 92].map((fd) => fcntl(fd, F_GETFD)),
    [0, FD_CLOEXEC, FD_CLOEXEC],
  )
  t.same(
    descriptorsOfProgram().filter((fd) => fd >= 90),
    [90],
  )
  close_range(90, 92)
}) // pidfd-08

t.test(
  'CLOSE_RANGE_CLOEXEC from 3 on leaves Node alive, and a program with 0, 1 and 2',
  { skip: notLinux },
  async (t) => {
    const { code, stdout, stderr } = await runProgram(`
    const { CLOSE_RANGE_CLOEXEC, close_range, dup2, execvp } = require('truefork')
    for (const fd of [100, 130, 150]) dup2(0, fd)
    close_range(3, ~0, CLOSE_RANGE_CLOEXEC)
    try { execvp('no-such-program', ['x']) } catch ({ code }) { console.log(code) }
    setTimeout(() => execvp('sh', ['sh', '-c', 'for i in /proc/self/fd/*; do echo \${i##*/}; done']), 1)`)
    // The last is the shell's own, for the folder.
    t.same({ code, stdout, stderr }, { code: 0, stdout: 'ENOENT\n0\n1\n2\n3\n', stderr: '' })
  },
)

t.test('CLOSE_RANGE_UNSHARE closes for the calling thread alone', { skip: notLinux }, async (t) => {
  const { code, stdout, stderr } = await runProgram(`
    const fs = require('node:fs')
    const { CLOSE_RANGE_UNSHARE, close_range, dup2, fdTable } = require('truefork')
    dup2(0, 400)
    fs.fstat(400, () => { // the pool's threads have been made
      close_range(400, 400, CLOSE_RANGE_UNSHARE)
      const own = fdTable().some(({ fd }) => fd === 400)
      try { fs.fstatSync(400) } catch ({ code }) { console.log(own, code) }
      fs.fstat(400, (error) => console.log('there', error))
    })`)
  t.same({ code, stdout, stderr }, { code: 0, stdout: 'false EBADF\nthere null\n', stderr: '' })
})

t.test('a range that is none and unknown flags are EINVAL, and close nothing', { skip: notLinux }, async (t) => {
  open(400)
  t.throws(() => close_range(401, 400), failure('EINVAL', 'close_range'))
  t.throws(() => close_range(-1, 0x7fffffff), failure('EINVAL', 'close_range'))
  for (const flags of [1, 8, -1, 0x7fffffff]) {
    t.throws(() => close_range(400, 400, flags), failure('EINVAL', 'close_range'))
  }
  t.same(above(400), [400])
  closefrom(400)
}) // pidfd-08

t.test('closefrom closes everything from a number on', async (t) => {
  open(400, 401, 450)
  closefrom(401)
  t.same(above(400), [400])
  closefrom(400)
  t.same(above(400), [])
  closefrom(0x7fffffff)
})

t.test('a negative number is EBADF, and closes nothing', async (t) => {
  const before = above(0)
  for (const fd of [-1, -0x80000000]) t.throws(() => closefrom(fd), failure('EBADF', 'closefrom'))
  t.same(above(0), before)
})

t.test('closefrom(3) leaves what wakes event loops, and exec closes that', { skip: notLinux }, async (t) => {
  const prelude = `
    const fs = require('node:fs')
    const { _exit, closefrom, dup, execvp, fdTable, pipe } = require('truefork')
    pipe()
    fs.openSync('/')
    closefrom(3)
    const kinds = new Set(fdTable().slice(3).map(({ kind, cloexec }) => cloexec ? kind : kind + ' kept'))
    for (const kind of ['epoll', 'eventfd', 'io_uring']) kinds.delete(kind)
    fs.writeSync(1, [...kinds] + '\\n')`
  for (const [last, code, output] of [
    ['_exit(7)', 7, ''],
    ["execvp('sh', ['sh', '-c', 'for i in /proc/self/fd/*; do echo \\${i##*/}; done; exit 9'])", 9, '0\n1\n2\n3\n'],
  ] as const) {
    const outcome = await runProgram(`${prelude}\n${last}`)
    t.same(outcome, { code, signal: null, stdout: `\n${output}`, stderr: '' })
  }
})

t.test('an event file that an exec would not close is closed', { skip: notLinux }, async (t) => {
  const eventfd = fdTable().find(({ kind }) => kind === 'eventfd')
  const [plain, kept] = [fcntl(eventfd?.fd as number, F_DUPFD, 400), fcntl(eventfd?.fd as number, F_DUPFD_CLOEXEC, 450)]
  t.same([plain, kept], [400, 450])
  closefrom(400)
  t.same(above(400), [450])
  close_range(400, 450)
  t.same(above(400), [])
})

t.test('a forked child closes its own, and its parent goes on', { skip: withoutAllThreads }, async (t) => {
  const lines = await linesOf(`
    const { closefrom, execvp } = require('truefork')
    const pid = fork()
    if (pid === 0) {
      closefrom(3)
      execvp('sh', ['sh', '-c', 'exit 9'])
    }
    setTimeout(() => console.log(ending(pid)), 1)`)
  t.same(lines, [9])
})

// As an old kernel, or a sandbox that doesn't know the call, answers.
function without(t: Test, errno: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return onLoad(
    directory,
    ['errno.h', 'linux/filter.h', 'linux/seccomp.h', 'stddef.h', 'stdlib.h', 'sys/prctl.h'],
    `struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 436, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ${errno}),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) abort();`,
  )
}

for (const errno of ['ENOSYS', 'EPERM']) {
  const title = `where the kernel answers ${errno}, close_range tells so, and closefrom does without`
  t.test(title, { skip: notLinux || withoutCompiler }, async (t) => {
    const outcome = await runProgram(`${without(t, errno)}
      const fs = require('node:fs')
      const { _exit, close_range, closefrom, dup2, fdTable } = require(${JSON.stringify(root)})
      const open = () => fs.writeSync(1, JSON.stringify(fdTable().map(({ fd }) => fd).filter((fd) => fd >= from)) + '\\n')
      const from = 100
      for (const fd of [100, 101, 150, 900]) dup2(0, fd)
      try { close_range(100, 150) } catch ({ code, syscall }) { fs.writeSync(1, code + ' ' + syscall + '\\n') }
      closefrom(101)
      open()
      _exit(0)`)
    const stdout = `${errno} close_range\n[100]\n`
    t.same(outcome, { code: 0, signal: null, stdout, stderr: '' })
  })
}

t.test('under a full table closefrom closes as ever', { skip: notLinux }, async (t) => {
  const { code, stdout, stderr } = await runProgram(`
    const fs = require('node:fs')
    const { _exit, closefrom, dup, execvp, fdTable } = require('truefork')
    if (process.env.FULL === undefined) {
      process.env.FULL = '1'
      execvp('sh', ['sh', '-c', 'ulimit -n 80; exec "$0" -e "$1"', process.execPath, process._eval])
    }
    try { for (;;) dup(0) } catch ({ code }) { fs.writeSync(1, code + '\\n') }
    closefrom(60)
    const numbers = fdTable().map(({ fd }) => fd)
    fs.writeSync(1, numbers.length + ' ' + Math.max(...numbers) + '\\n')
    _exit(0)`)
  t.same({ code, stdout, stderr }, { code: 0, stdout: 'EMFILE\n60 59\n', stderr: '' })
})

t.test('what pipe and dup made is closed as any other', async (t) => {
  const [readEnd, writeEnd] = pipe()
  const opened = openSync('/dev/null', 'r')
  const high = [readEnd, writeEnd, opened].map((fd) => fcntl(fd, F_DUPFD, 500))
  for (const fd of [readEnd, writeEnd, opened]) closeSync(fd)
  t.same(above(500), high)
  closefrom(500)
  t.same(above(500), [])
})
