// Socketpairs, and descriptors that are sent through them.

import { once } from 'node:events'
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  compareFdTables,
  F_GETFD,
  F_GETFL,
  FD_CLOEXEC,
  fcntl,
  fdTable,
  O_NONBLOCK,
  pipe,
  posix_spawnp,
  recvFds,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  sendFds,
  socketpair,
  waitpid,
} from 'truefork'
import { linesOf, withoutAllThreads } from './support/fork'
import { runWithDescriptors } from './support/limits'
import { onLoad, withoutCompiler } from './support/native'
import { privatePipe, readToEnd } from './support/pipes'
import { runProgram } from './support/program'
import { closing } from './support/shell'

const failure = (code: string, syscall: string) => ({ name: 'PosixError', code, syscall })
const notLinux = process.platform !== 'linux' && 'only Linux has the flags and the other types'
const nonblock = SOCK_NONBLOCK ?? 0

function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

function pair(t: Test, type?: number): [number, number] {
  const ends = socketpair(type)
  closing(t, ...ends)
  return ends
}

t.test('what is written to one end is read from the other, both ways', async (t) => {
  const [one, other] = pair(t)
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    writeSync(from, 'through')
    const buffer = Buffer.alloc(20)
    t.equal(buffer.toString('utf8', 0, readSync(to, buffer)), 'through')
  }
  for (const fd of [one, other]) t.equal(fcntl(fd, F_GETFD), 0, 'children inherit it')
})

t.test('the types keep what they promise of borders', { skip: notLinux }, async (t) => {
  const kinds = [
    [SOCK_STREAM, ['onetwo']],
    [SOCK_DGRAM, ['one', 'two']],
    [SOCK_SEQPACKET, ['one', 'two']],
  ] as const
  for (const [type, pieces] of kinds) {
    const [one, other] = pair(t, type)
    writeSync(one, 'one')
    writeSync(one, 'two')
    for (const piece of pieces) t.equal(recvFds(other).data.toString(), piece)
  }
})

t.test('its flags are set, and unknown ones refused', { skip: notLinux }, async (t) => {
  const ends = pair(t, SOCK_STREAM | (SOCK_CLOEXEC ?? 0) | nonblock)
  for (const fd of ends) {
    t.equal(fcntl(fd, F_GETFD), FD_CLOEXEC)
    t.equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK)
  }
  t.throws(() => socketpair(SOCK_STREAM | 0x40000000), failure('EINVAL', 'socketpair'))
  for (const type of [0, 9, -1]) t.throws(() => socketpair(type), { name: 'PosixError', syscall: 'socketpair' })
})

t.test('a descriptor arrives by another number, with FD_CLOEXEC, and is the same open file', async (t) => {
  const [one, other] = pair(t)
  const path = join(folder(t), 'file')
  writeFileSync(path, 'abcdef')
  const fd = openSync(path, 'r')
  readSync(fd, Buffer.alloc(2))
  t.equal(sendFds(one, [fd]), 1)
  const { fds, data } = recvFds(other)
  closing(t, fd, ...fds)
  t.equal(fds.length, 1)
  t.same(data, Buffer.from([0]))
  const [received] = fds as [number]
  t.not(received, fd)
  t.equal(fcntl(received, F_GETFD), FD_CLOEXEC)
  t.same(fstatSync(received), fstatSync(fd))
  const buffer = Buffer.alloc(2)
  readSync(received, buffer)
  t.equal(buffer.toString(), 'cd', 'the offset is shared')
})

t.test('several arrive in order, with their data, more than once if sent so', async (t) => {
  const [one, other] = pair(t)
  const [readEnd, writeEnd] = pipe()
  for (const data of ['ä text', Buffer.from([1, 0, 255]), new Uint8Array([7])]) {
    const bytes = Buffer.from(data as string)
    t.equal(sendFds(one, [readEnd, writeEnd, readEnd], data), bytes.length)
    const message = recvFds(other)
    t.same(message.data, bytes)
    t.equal(message.fds.length, 3)
    writeSync(message.fds[1] as number, 'x')
    t.equal(readSync(message.fds[2] as number, Buffer.alloc(2)), 1)
    for (const fd of message.fds) closeSync(fd)
  }
  closing(t, readEnd, writeEnd)
})

t.test('data goes without descriptors, too', async (t) => {
  const [one, other] = pair(t)
  t.equal(sendFds(one, [], 'alone'), 5)
  t.same(recvFds(other), { fds: [], data: Buffer.from('alone') })
})

t.test('what is received serves as a stream of Node', async (t) => {
  const [one, other] = pair(t)
  const [near, far] = socketpair()
  sendFds(one, [far])
  closeSync(far)
  const { fds } = recvFds(other)
  const socket = new Socket({ fd: fds[0] as number })
  const peer = new Socket({ fd: near })
  peer.write('from Node')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  t.equal(chunk.toString(), 'from Node')
  socket.end('back')
  const [answer] = (await once(peer, 'data')) as [Buffer]
  t.equal(answer.toString(), 'back')
  peer.destroy()
})

t.test('a message of less than a stream holds leaves the rest', async (t) => {
  const [one, other] = pair(t)
  sendFds(one, [0], 'abcdef')
  const first = recvFds(other, 4)
  t.equal(first.data.toString(), 'abcd')
  t.equal(first.fds.length, 1)
  closing(t, ...first.fds)
  t.same(recvFds(other), { fds: [], data: Buffer.from('ef') })
})

t.test('two messages with descriptors never come in one piece', async (t) => {
  const [one, other] = pair(t)
  sendFds(one, [0], 'first')
  sendFds(one, [0, 0], 'second')
  for (const [data, count] of [
    ['first', 1],
    ['second', 2],
  ]) {
    const message = recvFds(other)
    t.same([message.data.toString(), message.fds.length], [data, count])
    for (const fd of message.fds) closeSync(fd)
  }
})

t.test('the end of file is a message without data', async (t) => {
  const [one, other] = pair(t)
  sendFds(one, [0], 'last')
  closeSync(one)
  const { fds, data } = recvFds(other)
  closing(t, ...fds)
  t.equal(data.toString(), 'last')
  t.equal(fds.length, 1, 'what was sent before arrives')
  for (const _again of [1, 2]) t.same(recvFds(other), { fds: [], data: Buffer.alloc(0) })
})

t.test('253 descriptors go by one message, and 254 are refused before anything is sent', async (t) => {
  const [one, other] = pair(t)
  t.throws(() => sendFds(one, Array(254).fill(0)), {
    name: 'RangeError',
    code: 'ERR_OUT_OF_RANGE',
    message: /"fds\.length" is out of range.*<= 253/,
  })
  t.equal(sendFds(one, Array(253).fill(0), 'only'), 4)
  const { fds, data } = recvFds(other)
  t.equal(data.toString(), 'only')
  t.equal(new Set(fds).size, 253)
  t.ok(fds.every((fd) => fcntl(fd, F_GETFD) === FD_CLOEXEC))
  for (const fd of fds) closeSync(fd)
})

t.test('wrong arguments are refused before anything is sent', { skip: notLinux }, async (t) => {
  const [one, other] = pair(t, SOCK_STREAM | nonblock)
  const badType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  for (const value of [undefined, null, 0, '0', {}, new Set([0])]) t.throws(() => sendFds(one, value as never), badType)
  for (const value of [undefined, null, '0', {}, 1n]) {
    t.throws(() => sendFds(one, [0, value as never]), { ...badType, message: /"fds\[1\]"/ })
  }
  for (const value of [0.5, Number.NaN, 2 ** 31]) {
    t.throws(() => sendFds(one, [0, value]), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message: /"fds\[1\]"/ })
  }
  const holed = [0, 0, 0]
  delete holed[1]
  t.throws(() => sendFds(one, holed), { ...badType, message: /"fds\[1\]"/ })
  for (const value of [null, 0, {}, [0], new Uint16Array(1)]) {
    t.throws(() => sendFds(one, [0], value as never), { ...badType, message: /"data"/ })
  }
  for (const value of ['', Buffer.alloc(0)]) {
    t.throws(() => sendFds(one, [0], value), { code: 'ERR_INVALID_ARG_VALUE', message: /'data' must not be empty/ })
  }
  for (const value of [0, -1]) {
    t.throws(() => recvFds(other, value), { code: 'ERR_OUT_OF_RANGE', message: /"maxBytes"/ })
  }
  t.throws(() => recvFds(other), failure('EAGAIN', 'recvmsg'))
})

t.test('a descriptor that is not open is EBADF, and nothing is sent', { skip: notLinux }, async (t) => {
  const [one, other] = pair(t, SOCK_STREAM | nonblock)
  for (const fd of [-1, 0x7fffffff]) t.throws(() => sendFds(one, [0, fd]), failure('EBADF', 'sendmsg'))
  t.throws(() => recvFds(other), failure('EAGAIN', 'recvmsg'))
  for (const fd of [-1, 0x7fffffff]) {
    t.throws(() => sendFds(fd, [0]), failure('EBADF', 'sendmsg'))
    t.throws(() => recvFds(fd), failure('EBADF', 'recvmsg'))
  }
  const [readEnd, writeEnd] = pipe()
  closing(t, readEnd, writeEnd)
  t.throws(() => sendFds(writeEnd, [0]), failure('ENOTSOCK', 'sendmsg'))
  t.throws(() => recvFds(readEnd), failure('ENOTSOCK', 'recvmsg'))
})

t.test('a socket that is full or empty is EAGAIN under O_NONBLOCK', { skip: notLinux }, async (t) => {
  const [one, other] = pair(t, SOCK_STREAM | nonblock)
  t.throws(() => recvFds(other), failure('EAGAIN', 'recvmsg'))
  const filling = Buffer.alloc(4096)
  t.throws(
    () => {
      for (;;) sendFds(one, [], filling)
    },
    failure('EAGAIN', 'sendmsg'),
  )
  t.throws(() => sendFds(one, [0]), failure('EAGAIN', 'sendmsg'))
})

t.test('a stream that fills up half way tells how much it took', { skip: notLinux }, async (t) => {
  const [one, other] = pair(t, SOCK_STREAM | nonblock)
  const data = Buffer.alloc(8 << 20, 'x')
  const sent = sendFds(one, [0], data)
  t.ok(sent > 0 && sent < data.length, `${sent} bytes`)
  const first = recvFds(other, 1000)
  t.equal(first.fds.length, 1, 'the descriptors go with the first byte')
  closing(t, ...first.fds)
  let received = first.data.length
  while (received < sent) received += recvFds(other).data.length
  t.equal(received, sent)
  t.throws(() => recvFds(other), failure('EAGAIN', 'recvmsg'))
})

t.test('a blocking stream takes all, however much', async (t) => {
  const [one, other] = pair(t)
  const [readEnd, writeEnd] = privatePipe()
  const pid = posix_spawnp('wc', ['wc', '-c'], {
    fileActions: [
      { action: 'dup2', fd: other, newFd: 0 },
      { action: 'dup2', fd: writeEnd, newFd: 1 },
      { action: 'close', fd: one },
      { action: 'close', fd: other },
    ],
  })
  closeSync(writeEnd)
  closeSync(other)
  const size = 8 << 20
  t.equal(sendFds(one, [0], Buffer.alloc(size)), size)
  closeSync(one)
  t.equal(Number(readToEnd(readEnd).toString()), size)
  closeSync(readEnd)
  t.equal(waitpid(pid).status, 0)
})

t.test('a datagram that is cut off is EMSGSIZE, and leaves no descriptor', { skip: notLinux }, async (t) => {
  for (const type of [SOCK_DGRAM, SOCK_SEQPACKET]) {
    const [one, other] = pair(t, type | nonblock)
    sendFds(one, [0, 0], 'abcdef')
    const before = fdTable()
    t.throws(() => recvFds(other, 5), failure('EMSGSIZE', 'recvmsg'))
    t.equal(compareFdTables(before, fdTable()).text, '')
    t.throws(() => recvFds(other), failure('EAGAIN', 'recvmsg'), 'it is lost')
    t.throws(() => sendFds(one, [0], Buffer.alloc(64 << 20)), failure('EMSGSIZE', 'sendmsg'))
  }
})

t.test('under a table that is nearly full it is EMFILE, and leaves no descriptor', { skip: notLinux }, async (t) => {
  const { stdout, stderr } = await runWithDescriptors(
    64,
    `const fs = require('node:fs')
    const { compareFdTables, dup, fdTable, recvFds, sendFds, socketpair } = require('truefork')
    const said = []
    const attempt = (call) => { try { said.push(call()) } catch ({ code, syscall }) { said.push(code + ' ' + syscall) } }
    const [one, other] = socketpair()
    const fds = []
    try { for (;;) fds.push(dup(0)) } catch {}
    for (const room of [0, 3, 9]) {
      for (const fd of fds.splice(0, room)) fs.closeSync(fd)
      sendFds(one, Array(10).fill(0))
      const before = fdTable()
      attempt(() => recvFds(other))
      said.push(compareFdTables(before, fdTable()).text)
      while (true) try { fds.push(dup(0)) } catch { break }
    }
    attempt(() => socketpair())
    for (const fd of fds.splice(0, 10)) fs.closeSync(fd)
    sendFds(one, Array(10).fill(0))
    attempt(() => recvFds(other).fds.length)
    for (const fd of fds) fs.closeSync(fd)
    console.log(JSON.stringify(said))`,
  )
  t.equal(stderr, '')
  const full = ['EMFILE recvmsg', '']
  t.same(JSON.parse(stdout), [...full, ...full, ...full, 'EMFILE socketpair', 10])
})

t.test('an end that is closed is EPIPE, and SIGPIPE ends nobody', { skip: notLinux || withoutCompiler }, async (t) => {
  const { code, signal, stdout, stderr } = await runProgram(`
    ${onLoad(folder(t), ['signal.h'], 'signal(SIGPIPE, SIG_DFL);')}
    const { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, sendFds, socketpair } = require('truefork')
    for (const type of [SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM]) {
      const [one, other] = socketpair(type)
      require('node:fs').closeSync(other)
      try { sendFds(one, [0]) } catch ({ code, syscall }) { console.log(code, syscall) }
    }`)
  const stdoutExpected = 'EPIPE sendmsg\nEPIPE sendmsg\nECONNREFUSED sendmsg\n'
  t.same({ code, signal, stdout, stderr }, { code: 0, signal: null, stdout: stdoutExpected, stderr: '' })
})

t.test('an end that was closed with something unread is ECONNRESET', { skip: notLinux }, async (t) => {
  const [one, other] = pair(t)
  sendFds(one, [0], 'never read')
  closeSync(other)
  t.throws(() => recvFds(one), failure('ECONNRESET', 'recvmsg'))
})

t.test(
  'what socket options add to a message is left out, and its pidfd closed',
  { skip: notLinux || withoutCompiler },
  async (t) => {
    const [SO_PASSCRED, SO_PASSPIDFD] = [16, 76]
    const { stdout, stderr } = await runProgram(`
    ${onLoad(
      folder(t),
      ['stdio.h', 'stdlib.h', 'sys/socket.h'],
      `int ends[2], on = 1;
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
      setsockopt(ends[1], SOL_SOCKET, ${SO_PASSCRED}, &on, sizeof on);
      setsockopt(ends[1], SOL_SOCKET, ${SO_PASSPIDFD}, &on, sizeof on);
      char text[50];
      sprintf(text, "%d %d", ends[0], ends[1]);
      setenv("ENDS", text, 1);`,
    )}
    const { compareFdTables, fdTable, recvFds, sendFds } = require('truefork')
    const [one, other] = process.env.ENDS.split(' ').map(Number)
    for (const count of [0, 2, 253]) {
      const before = fdTable()
      sendFds(one, Array(count).fill(0), 'x')
      const { fds, data } = recvFds(other)
      console.log(fds.length, data.toString(), compareFdTables(before, fdTable()).opened.length)
      for (const fd of fds) require('node:fs').closeSync(fd)
    }`)
    t.equal(stderr, '')
    t.equal(stdout, '0 x 0\n2 x 2\n253 x 253\n')
  },
)

t.test('a socketpair connects parent and child of a fork', { skip: withoutAllThreads }, async (t) => {
  const path = join(folder(t), 'file')
  const lines = await linesOf(`
    const { recvFds, sendFds, socketpair } = require('truefork')
    const [one, other] = socketpair()
    const pid = fork()
    if (pid === 0) {
      sendFds(other, [fs.openSync(${JSON.stringify(path)}, 'w')], 'from the child')
      _exit(0)
    }
    const { fds, data } = recvFds(one)
    fs.writeSync(fds[0], 'written by the parent')
    console.log(data.toString())
    console.log(ending(pid))`)
  t.same(lines, ['from the child', 0])
  t.equal(readFileSync(path, 'utf8'), 'written by the parent')
})

t.test('a Worker sends and receives', async (t) => {
  const { stdout, stderr } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    const { recvFds, sendFds, socketpair } = require('truefork')
    const [one, other] = socketpair()
    const source = \`const { recvFds, sendFds } = require('truefork')
      const { fds, data } = recvFds(\${other})
      sendFds(\${other}, fds, data + ' and back')\`
    new Worker(source, { eval: true }).on('exit', () => {
      const { fds, data } = recvFds(one)
      console.log(fds.length, data.toString())
    })
    sendFds(one, [0, 1], 'there')`)
  t.equal(stderr, '')
  t.equal(stdout, '2 there and back\n')
})
