import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import t from 'tap'
import {
  dup,
  dup2,
  dup3,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_GETPIPE_SZ,
  F_SETFD,
  F_SETFL,
  F_SETPIPE_SZ,
  FD_CLOEXEC,
  fcntl,
  O_CLOEXEC,
  O_NONBLOCK,
  pipe,
  pipe2,
} from 'truefork'
import { openDescriptors } from './support/process-state'

const failure = (code: string, syscall: string) => ({ name: 'PosixError', code, syscall })
const notLinux = process.platform !== 'linux' && 'ENOSYS there'

/** Closes what a test has opened. */
function closing(t: { teardown(undo: () => void): unknown }, ...fds: number[]): void {
  t.teardown(() => {
    for (const fd of fds) closeSync(fd)
  })
}

const isOpen = (fd: number): boolean => {
  try {
    fstatSync(fd)
    return true
  } catch {
    return false
  }
}

t.test('what is written to one end of a pipe is read from the other', async (t) => {
  const [readEnd, writeEnd] = pipe()
  closing(t, readEnd)
  writeSync(writeEnd, 'through')
  closeSync(writeEnd)
  const buffer = Buffer.alloc(20)
  t.equal(readSync(readEnd, buffer), 7)
  t.equal(buffer.toString('utf8', 0, 7), 'through')
  t.equal(readSync(readEnd, buffer), 0)
}) // spawn-22

t.test('pipe, dup and dup2 leave FD_CLOEXEC off, as their man pages have it', async (t) => {
  const [readEnd, writeEnd] = pipe()
  const opened = openSync('/dev/null', 'r')
  const duplicate = dup(opened)
  const onto = dup(opened)
  fcntl(onto, F_SETFD, FD_CLOEXEC)
  t.equal(dup2(opened, onto), onto)
  closing(t, readEnd, writeEnd, opened, duplicate, onto)
  t.equal(fcntl(opened, F_GETFD), FD_CLOEXEC, 'Node sets it')
  for (const fd of [readEnd, writeEnd, duplicate, onto]) t.equal(fcntl(fd, F_GETFD), 0)
}) // spawn-51, spawn-52

t.test('pipe2 sets the flags given', { skip: notLinux }, async (t) => {
  const ends = pipe2(O_CLOEXEC | O_NONBLOCK)
  const plain = pipe2(0)
  closing(t, ...ends, ...plain)
  for (const fd of ends) {
    t.equal(fcntl(fd, F_GETFD), FD_CLOEXEC)
    t.equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK)
  }
  for (const fd of plain) t.equal(fcntl(fd, F_GETFD), 0)
  t.throws(() => pipe2(0x7fffffff), failure('EINVAL', 'pipe2'))
})

t.test('dup takes the lowest free number, dup2 the one given', async (t) => {
  const opened = openSync('/dev/null', 'r')
  const lowest = openSync('/dev/null', 'r')
  closeSync(lowest)
  t.equal(dup(opened), lowest)
  t.equal(dup2(opened, 90), 90)
  closing(t, opened, lowest, 90)
  t.same(fstatSync(90), fstatSync(opened))
  t.equal(dup2(opened, opened), opened)
  t.equal(fcntl(opened, F_GETFD), FD_CLOEXEC, 'onto itself nothing changes')
})

t.test('dup2 closes what its number named before', async (t) => {
  const [readEnd, writeEnd] = pipe()
  const opened = openSync('/dev/null', 'r')
  dup2(opened, writeEnd)
  closing(t, readEnd, writeEnd, opened)
  t.equal(readSync(readEnd, Buffer.alloc(1)), 0, 'the pipe has no writer any more')
})

t.test('dup3 sets O_CLOEXEC, and refuses two equal numbers', { skip: notLinux }, async (t) => {
  const opened = openSync('/dev/null', 'r')
  t.equal(dup3(opened, 91, O_CLOEXEC), 91)
  t.equal(dup3(opened, 92, 0), 92)
  closing(t, opened, 91, 92)
  t.equal(fcntl(91, F_GETFD), FD_CLOEXEC)
  t.equal(fcntl(92, F_GETFD), 0)
  t.throws(() => dup3(opened, opened, 0), failure('EINVAL', 'dup3'))
  t.throws(() => dup3(opened, 93, 1), failure('EINVAL', 'dup3'))
  t.notOk(isOpen(93))
})

t.test('fcntl sets and clears FD_CLOEXEC and O_NONBLOCK', async (t) => {
  const [readEnd, writeEnd] = pipe()
  closing(t, readEnd, writeEnd)
  t.equal(fcntl(readEnd, F_SETFD, FD_CLOEXEC), 0)
  t.equal(fcntl(readEnd, F_GETFD), FD_CLOEXEC)
  t.equal(fcntl(writeEnd, F_GETFD), 0, 'the flag is of one descriptor')
  fcntl(readEnd, F_SETFD)
  t.equal(fcntl(readEnd, F_GETFD), 0)
  fcntl(readEnd, F_SETFL, fcntl(readEnd, F_GETFL) | O_NONBLOCK)
  t.throws(() => readSync(readEnd, Buffer.alloc(1)), { code: 'EAGAIN' })
}) // spawn-52

t.test('F_DUPFD starts its search at a number', async (t) => {
  const opened = openSync('/dev/null', 'r')
  const [plain, marked] = [fcntl(opened, F_DUPFD, 80), fcntl(opened, F_DUPFD_CLOEXEC, 80)]
  closing(t, opened, plain, marked)
  t.equal(plain, 80)
  t.equal(marked, 81)
  t.equal(fcntl(plain, F_GETFD), 0)
  t.equal(fcntl(marked, F_GETFD), FD_CLOEXEC)
})

t.test('a pipe tells and changes its size', { skip: notLinux }, async (t) => {
  const [readEnd, writeEnd] = pipe()
  closing(t, readEnd, writeEnd)
  t.ok(fcntl(readEnd, F_SETPIPE_SZ as number, 8192) >= 8192)
  t.equal(fcntl(writeEnd, F_GETPIPE_SZ as number), 8192)
})

t.test('a number that is not open is EBADF', async (t) => {
  const before = openDescriptors()
  for (const fd of [-1, 999, 0x7fffffff]) {
    t.throws(() => dup(fd), failure('EBADF', 'dup'))
    t.throws(() => dup2(fd, 95), failure('EBADF', 'dup2'))
    t.throws(() => fcntl(fd, F_GETFD), failure('EBADF', 'fcntl'))
  }
  for (const fd of [-1, 0x7fffffff]) t.throws(() => dup2(0, fd), failure('EBADF', 'dup2'))
  t.same(openDescriptors(), before)
})

t.test('a command that is unknown or takes a pointer is EINVAL', { skip: notLinux }, async (t) => {
  const [F_GETLK, F_SETLK, F_GETOWN_EX] = [5, 6, 16]
  for (const command of [F_GETLK, F_SETLK, F_GETOWN_EX, -1, 0x7fff]) {
    t.throws(() => fcntl(0, command, 0), failure('EINVAL', 'fcntl'))
  }
})
