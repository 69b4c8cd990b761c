// fdTable: each kind of descriptor by what it is, and nothing that isn't there.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  dup,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  FD_CLOEXEC,
  type FdInfo,
  fcntl,
  fdTable,
  O_APPEND,
  O_PATH,
  O_WRONLY,
  pipe,
  posix_spawnp,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  socketpair,
  waitpid,
} from 'truefork'
import { linesOf, withoutAllThreads } from './support/fork'
import { runWithDescriptors } from './support/limits'
import { onLoad, withoutCompiler } from './support/native'
import { runProgram } from './support/program'
import { closing } from './support/shell'
import { runInTerminal, withoutTerminal } from './support/terminal'

const notLinux = process.platform !== 'linux' && 'only Linux has /proc'

function folder(t: Test): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'truefork-')))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

function infoOf(fd: number): FdInfo {
  const info = fdTable().find((row) => row.fd === fd)
  if (info === undefined) throw new Error(`${fd} is not in the table`)
  return info
}

t.test('it lists what is open, in order, and nothing of its own', { skip: notLinux }, async (t) => {
  const numbers = fdTable().map(({ fd }) => fd)
  const listed = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => numbers.includes(fd) || isOpen(fd))
  t.same(
    numbers,
    listed.sort((one, other) => one - other),
  )
  t.same(fdTable(), fdTable())
})

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
    return true
  } catch {
    return false
  }
}

t.test('flags, FD_CLOEXEC and mode are what fcntl and fstat tell', async (t) => {
  for (const { fd, flags, cloexec, mode } of fdTable()) {
    t.equal(flags, fcntl(fd, F_GETFL))
    t.equal(cloexec, fcntl(fd, F_GETFD) === FD_CLOEXEC)
    t.equal(mode, fstatSync(fd).mode)
  }
})

t.test('a file is its path, offset and flags', async (t) => {
  const path = join(folder(t), 'a file, ä\n')
  writeFileSync(path, 'abcdef')
  const reader = openSync(path, 'r')
  const writer = openSync(path, 'a')
  closing(t, reader, writer)
  readSync(reader, Buffer.alloc(4))
  t.match(infoOf(reader), { fd: reader, kind: 'file', target: path, cloexec: true, offset: 4 })
  t.equal(infoOf(writer).flags & (O_WRONLY | O_APPEND), O_WRONLY | O_APPEND)
  fcntl(reader, F_SETFD, 0)
  t.equal(infoOf(reader).cloexec, false)
  unlinkSync(path)
  if (!notLinux) t.match(infoOf(reader), { kind: 'file', target: `${path} (deleted)` })
})

t.test('directories, devices and FIFOs are told apart', async (t) => {
  const directory = folder(t)
  const fifo = join(directory, 'fifo')
  waitpid(posix_spawnp('mkfifo', ['mkfifo', fifo]))
  const files: [string, string | number, FdInfo['kind']][] = [
    [directory, 'r', 'directory'],
    ['/dev/null', 'r', 'character-device'],
    [fifo, 'r+', 'fifo'],
  ]
  if (O_PATH !== undefined) files.push([fifo, O_PATH, 'fifo'], [directory, O_PATH, 'directory'])
  for (const [path, flags, kind] of files) {
    const fd = openSync(path, flags)
    closing(t, fd)
    t.match(infoOf(fd), { kind, target: path, fd })
  }
})

t.test('a pipe has its peers: what holds its other end in this process', async (t) => {
  const [readEnd, writeEnd] = pipe()
  const second = dup(writeEnd)
  t.match(infoOf(readEnd), { kind: 'pipe', offset: null, cloexec: false, peers: [writeEnd, second] })
  for (const fd of [writeEnd, second]) t.match(infoOf(fd), { kind: 'pipe', peers: [readEnd] })
  t.match(infoOf(readEnd).target, /^pipe:\[\w+\]$/)
  closeSync(writeEnd)
  t.same(infoOf(readEnd).peers, [second])
  closeSync(second)
  t.same(infoOf(readEnd).peers, [])
  closeSync(readEnd)
})

t.test('a pipe that is open both ways is the peer of either end', { skip: notLinux }, async (t) => {
  const [readEnd, writeEnd] = pipe()
  const both = openSync(`/proc/self/fd/${readEnd}`, 'r+')
  closing(t, readEnd, writeEnd, both)
  t.same(infoOf(both).peers, [readEnd, writeEnd])
  t.same(infoOf(readEnd).peers, [writeEnd, both])
})

t.test('a socketpair has its peers and no addresses', { skip: notLinux }, async (t) => {
  for (const [type, name] of [
    [undefined, 'stream'],
    [SOCK_DGRAM, 'dgram'],
    [SOCK_SEQPACKET, 'seqpacket'],
  ] as const) {
    const [one, other] = socketpair(type)
    const second = dup(one)
    closing(t, one, second)
    const socket = { domain: 'unix', type: name, state: 'established', local: '', remote: '' }
    t.match(infoOf(one), { kind: 'socket', peers: [other], socket, offset: null })
    t.match(infoOf(other), { kind: 'socket', peers: [one, second].sort((a, b) => a - b), socket })
    t.match(infoOf(one).target, new RegExp(`^socket:\\[\\d+\\] unix ${name} established$`))
    closeSync(other)
    t.same(infoOf(one).peers ?? [], [])
  }
})

/** The descriptor of a server or socket, by an undocumented but lasting name. */
const fdOf = (handle: unknown): number => (handle as { _handle: { fd: number } })._handle.fd

async function listening(t: Test, where: ListenOptions): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).resume())
  t.teardown(() => server.close())
  server.listen(where)
  await once(server, 'listening')
  return server
}

for (const [host, domain] of [
  ['127.0.0.1', 'inet'],
  ['::1', 'inet6'],
] as const) {
  t.test(`TCP sockets of ${host} have addresses and a state`, async (t) => {
    let server: Server
    try {
      server = await listening(t, { port: 0, host })
    } catch (error) {
      t.comment(`no ${domain} here: ${error}`)
      return
    }
    const text = (port: number): string => (domain === 'inet' ? `${host}:${port}` : `[${host}]:${port}`)
    const local = text((server.address() as AddressInfo).port)
    const socket = { domain, type: 'stream', state: 'listening', local, remote: null }
    t.match(infoOf(fdOf(server)), { kind: 'socket', socket })
    t.match(infoOf(fdOf(server)).target, new RegExp(`^socket:\\[\\w+\\] tcp ${escaped(local)} listening$`))

    const client = connect((server.address() as AddressInfo).port, host)
    const [accepted] = (await once(server, 'connection')) as [Socket]
    if (client.connecting) await once(client, 'connect')
    const remote = text(client.localPort as number)
    t.match(infoOf(fdOf(accepted)).socket, { state: 'established', local, remote })
    t.match(infoOf(fdOf(client)).socket, { state: 'established', local: remote, remote: local })
    t.match(infoOf(fdOf(client)).target, new RegExp(`tcp ${escaped(remote)} -> ${escaped(local)} established$`))

    accepted.allowHalfOpen = true
    client.allowHalfOpen = true
    accepted.end()
    await once(client, 'end')
    t.match(infoOf(fdOf(client)).socket, { state: 'close-wait' })
    client.destroy()
    accepted.destroy()
  })
}

const escaped = (text: string): string => text.replace(/[[\].]/g, '\\$&')

t.test('a UNIX socket is its path, or its abstract name', { skip: notLinux }, async (t) => {
  const path = join(folder(t), 'socket')
  const abstract = `truefork-${process.pid}`
  for (const [where, local] of [
    [path, path],
    [`\0${abstract}`, `@${abstract}`],
  ] as const) {
    const server = await listening(t, { path: where })
    t.match(infoOf(fdOf(server)).socket, { domain: 'unix', type: 'stream', state: 'listening', local, remote: null })
    const client = connect(where)
    const [accepted] = (await once(server, 'connection')) as [Socket]
    t.match(infoOf(fdOf(client)).socket, { state: 'established', local: '', remote: local })
    t.match(infoOf(fdOf(client)), { peers: [fdOf(accepted)] })
    t.match(infoOf(fdOf(accepted)), { peers: [fdOf(client)], socket: { state: 'established', local, remote: '' } })
    client.destroy()
    accepted.destroy()
  }
})

t.test('a UDP socket has its address, and another once it is connected', async (t) => {
  const one = createSocket('udp4').bind(0, '127.0.0.1')
  const other = createSocket('udp4').bind(0, '127.0.0.1')
  t.teardown(() => [one.close(), other.close()])
  await Promise.all([once(one, 'listening'), once(other, 'listening')])
  const [local, remote] = [one, other].map((socket) => `127.0.0.1:${socket.address().port}`)
  const own = (): FdInfo => fdTable().find(({ socket }) => socket?.local === local) as FdInfo
  t.match(own(), { kind: 'socket', socket: { domain: 'inet', type: 'dgram', state: 'unconnected', remote: null } })
  t.match(own().target, new RegExp(`udp ${escaped(local as string)} unconnected$`))
  one.connect(other.address().port, '127.0.0.1')
  await once(one, 'connect')
  t.match(own().socket, { state: 'established', remote })
})

t.test('the objects of the kernel are named by kind', { skip: notLinux || withoutCompiler }, async (t) => {
  const load = onLoad(
    folder(t),
    [
      'sys/epoll.h',
      'sys/eventfd.h',
      'sys/inotify.h',
      'sys/mman.h',
      'sys/signalfd.h',
      'sys/syscall.h',
      'sys/timerfd.h',
      'fcntl.h',
      'sched.h',
      'signal.h',
      'stdio.h',
      'stdlib.h',
      'string.h',
      'unistd.h',
    ],
    `sigset_t mask;
    sigemptyset(&mask);
    char parameters[120] = {0};
    int fds[] = {
      epoll_create1(0), eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), signalfd(-1, &mask, 0), inotify_init(),
      memfd_create("name", 0), syscall(434, getpid(), 0), syscall(425, 4, parameters), open("/proc/self/ns/net", O_RDONLY),
      posix_openpt(O_RDWR | O_NOCTTY), syscall(SYS_userfaultfd, O_CLOEXEC | 1),
    };
    char text[200] = "";
    for (int i = 0; i < 11; ++i) sprintf(text + strlen(text), "%d ", fds[i]);
    setenv("OBJECTS", text, 1);`,
  )
  const { stdout, stderr } = await runProgram(`${load}
    const { fdTable } = require('truefork')
    const table = new Map(fdTable().map((info) => [info.fd, info]))
    const numbers = process.env.OBJECTS.trim().split(' ').map(Number)
    console.log(JSON.stringify([process.pid, ...numbers.map((fd) => table.get(fd) ?? null)]))`)
  t.equal(stderr, '')
  const [pid, ...rows] = JSON.parse(stdout) as [number, ...(FdInfo | null)[]]
  const kinds = [
    'epoll',
    'eventfd',
    'timerfd',
    'signalfd',
    'inotify',
    'memfd',
    'pidfd',
    'io_uring',
    'other',
    'tty',
    'other',
  ]
  t.equal(rows.length, kinds.length)
  for (const [index, kind] of kinds.entries()) {
    const row = rows[index]
    // A sandbox may refuse any of these.
    if (row) t.equal(row.kind, kind, row.target)
    else t.comment(`no ${kind} (${index}) here`)
  }
  const found = (kind: string): FdInfo | undefined => rows.find((row) => row?.kind === kind) ?? undefined
  t.ok(found('epoll') && found('eventfd') && found('memfd') && found('inotify'))
  t.equal(found('epoll')?.offset, null)
  t.match(found('memfd'), { target: '/memfd:name (deleted)', offset: 0 })
  if (found('pidfd')) t.equal(found('pidfd')?.pid, pid)
})

t.test('a terminal is one', { skip: withoutTerminal }, async (t) => {
  const { stdout } = await runInTerminal(`
    const { fdTable } = require('truefork')
    console.log(fdTable().slice(0, 3).map(({ kind, target }) => kind + ' ' + /^.dev.\\w+/.exec(target)).join('\\n'))`)
  t.equal(stdout, 'tty /dev/pts\n'.repeat(3))
})

t.test('the table of a thread that has one of its own is that', { skip: notLinux }, async (t) => {
  const { stdout, stderr } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    const { dup2 } = require('truefork')
    dup2(0, 500)
    const source = \`const { CLOSE_RANGE_UNSHARE, close_range, fdTable } = require('truefork')
      close_range(500, 500, CLOSE_RANGE_UNSHARE)
      require('node:worker_threads').parentPort.postMessage(fdTable().some(({ fd }) => fd === 500))\`
    new Worker(source, { eval: true }).on('message', (there) => {
      console.log(there, require('truefork').fdTable().some(({ fd }) => fd === 500))
    })`)
  t.equal(stderr, '')
  t.equal(stdout, 'false true\n')
})

t.test('under a full table it is complete', { skip: notLinux }, async (t) => {
  const { stdout, stderr } = await runWithDescriptors(
    64,
    `const fs = require('node:fs')
    const { compareFdTables, dup, fdTable, socketpair } = require('truefork')
    const [one, other] = socketpair()
    const fds = []
    try { for (;;) fds.push(dup(0)) } catch {}
    const full = fdTable()
    const last = fds.pop()
    fs.closeSync(last)
    const { closed, opened, changed } = compareFdTables(full, fdTable())
    const peers = full.find(({ fd }) => fd === one).peers
    for (const fd of fds) fs.closeSync(fd)
    console.log(JSON.stringify({
      numbers: full.map(({ fd }) => fd).filter((fd) => fd < 64),
      closed: closed.map(({ fd }) => fd - last), opened, changed, peers: peers.map((fd) => fd - other),
    }))`,
  )
  t.equal(stderr, '')
  const numbers = Array.from({ length: 64 }, (_, fd) => fd)
  t.same(JSON.parse(stdout), { numbers, closed: [0], opened: [], changed: [], peers: [0] })
})

t.test("a full table's pidfd has its pid, too", { skip: notLinux || withoutCompiler }, async (t) => {
  const load = onLoad(
    folder(t),
    ['stdio.h', 'stdlib.h', 'sys/syscall.h', 'unistd.h'],
    `char text[20];
    sprintf(text, "%ld", syscall(434, getpid(), 0));
    setenv("PIDFD", text, 1);`,
  )
  const { stdout, stderr } = await runWithDescriptors(
    64,
    `${load}
    const fs = require('node:fs')
    const { dup, fdTable } = require('truefork')
    const fds = []
    try { for (;;) fds.push(dup(0)) } catch {}
    const row = fdTable().find(({ fd }) => fd === Number(process.env.PIDFD))
    for (const fd of fds) fs.closeSync(fd)
    console.log(row === undefined || row.pid === process.pid)`,
  )
  t.equal(stderr, '')
  t.equal(stdout, 'true\n')
})

t.test('a forked child has its own table, the same as its parent', { skip: withoutAllThreads }, async (t) => {
  const lines = await linesOf(`
    const { compareFdTables, fdTable, socketpair } = require('truefork')
    const ends = socketpair()
    const before = fdTable()
    const pid = fork()
    if (pid === 0) {
      const { opened, closed } = compareFdTables(before, fdTable())
      fs.writeSync(1, JSON.stringify([opened, closed]) + '\\n') // a console would set O_NONBLOCK, for both
      fs.closeSync(ends[0])
      _exit(0)
    }
    const code = ending(pid)
    console.log(JSON.stringify([code, compareFdTables(before, fdTable()).text]))`)
  t.same(lines, [
    [[], []],
    [0, ''],
  ])
})
