// Which descriptors a program has, and what they name.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  dup,
  dup2,
  F_DUPFD,
  F_GETFD,
  F_SETFD,
  FD_CLOEXEC,
  type FileAction,
  fcntl,
  O_CREAT,
  O_RDONLY,
  O_WRONLY,
  pipe,
  posix_spawnp,
  waitpid,
} from 'truefork'
import { privatePipe, readToEnd } from './support/pipes'
import { isChildless } from './support/process-state'
import { runProgram } from './support/program'
import { closing, descriptorsOfProgram, shell } from './support/shell'

t.afterEach(() => {
  isChildless()
})

t.test('a pipe handed over end by end comes to its end', async (t) => {
  const [readEnd, writeEnd] = pipe()
  closing(t, readEnd, writeEnd)
  const fileActions: FileAction[] = [
    { action: 'close', fd: readEnd },
    { action: 'dup2', fd: writeEnd, newFd: 1 },
    { action: 'close', fd: writeEnd },
  ]
  const pid = posix_spawnp('echo', ['echo', 'hello'], { fileActions })
  closeSync(writeEnd)
  t.equal(readToEnd(readEnd).toString(), 'hello\n')
  t.equal(waitpid(pid).status, 0)
}) // spawn-22

t.test('a program reads from a pipe on 0 what its parent writes', async (t) => {
  const [readEnd, writeEnd] = privatePipe()
  const file = join(t.testdir({}), 'file')
  const pid = posix_spawnp('cat', ['cat'], {
    fileActions: [
      { action: 'dup2', fd: readEnd, newFd: 0 },
      { action: 'open', fd: 1, path: file, flags: O_WRONLY | O_CREAT },
    ],
  })
  writeSync(writeEnd, 'from the parent')
  closeSync(writeEnd)
  closeSync(readEnd)
  t.equal(waitpid(pid).status, 0)
  t.equal(readFileSync(file, 'utf8'), 'from the parent')
}) // spawn-23

t.test('0-2 are inherited without any action, though Node marks them', async (t) => {
  const { stdout, stderr } = await runProgram(
    `const { posix_spawnp, waitpid } = require('truefork')
    waitpid(posix_spawnp('sh', ['sh', '-c', 'cat; echo to 2 >&2']))`,
    { input: 'through the parent\n' },
  )
  t.equal(stdout, 'through the parent\n')
  t.equal(stderr, 'to 2\n')
}) // spawn-25

t.test('a program has 0-2 and what was made without FD_CLOEXEC, nothing else', async (t) => {
  t.same(descriptorsOfProgram(), [0, 1, 2])
  const file = join(t.testdir({ file: '' }), 'file')
  const opened = openSync(file, 'r')
  const [readEnd, writeEnd] = pipe()
  const duplicate = dup(opened)
  const above = fcntl(opened, F_DUPFD, 90)
  const [privateRead, privateWrite] = privatePipe()
  closing(t, opened, readEnd, writeEnd, duplicate, above, privateRead, privateWrite)
  t.same(
    descriptorsOfProgram(),
    [0, 1, 2, readEnd, writeEnd, duplicate, above].sort((a, b) => a - b),
  )
  for (const fd of [readEnd, writeEnd, duplicate, above]) fcntl(fd, F_SETFD, FD_CLOEXEC)
  t.same(descriptorsOfProgram(), [0, 1, 2])
  dup2(opened, above)
  t.equal(fcntl(above, F_GETFD), 0, 'dup2 clears the flag')
  t.same(descriptorsOfProgram(), [0, 1, 2, above])
}) // spawn-51, spawn-52, fork.fd-12

t.test('a program writes to a pipe that it inherited, unless that is marked FD_CLOEXEC', async (t) => {
  const [readEnd, writeEnd] = pipe()
  closing(t, readEnd, writeEnd)
  const write = '{ echo written > /dev/fd/$1; } 2>/dev/null || echo refused'
  t.equal(shell(write, [], String(writeEnd)), '')
  fcntl(writeEnd, F_SETFD, FD_CLOEXEC)
  t.equal(shell(write, [], String(writeEnd)), 'refused\n')
  closeSync(writeEnd)
  t.equal(readToEnd(readEnd).toString(), 'written\n')
}) // fork.fd-07

t.test('a pipe on 3 is there for the program to write to', async (t) => {
  const [readEnd, writeEnd] = privatePipe()
  closing(t, readEnd)
  shell('echo to 3 >&3', [{ action: 'dup2', fd: writeEnd, newFd: 3 }])
  closeSync(writeEnd)
  t.equal(readToEnd(readEnd).toString(), 'to 3\n')
}) // spawn-40

t.test('dup2 of a descriptor onto itself hands it over', async (t) => {
  const fd = openSync('/dev/null', 'r')
  closing(t, fd)
  t.notOk(descriptorsOfProgram().includes(fd))
  t.ok(descriptorsOfProgram([{ action: 'dup2', fd, newFd: fd }]).includes(fd))
  t.equal(fcntl(fd, F_GETFD), FD_CLOEXEC, 'the parent has it as before')
}) // spawn-27

t.test('stdout and stderr change places', async (t) => {
  const { stdout, stderr } = await runProgram(`
    const { posix_spawnp, waitpid } = require('truefork')
    waitpid(posix_spawnp('sh', ['sh', '-c', 'echo out; echo err >&2'], { fileActions: [
      { action: 'dup2', fd: 1, newFd: 9 },
      { action: 'dup2', fd: 2, newFd: 1 },
      { action: 'dup2', fd: 9, newFd: 2 },
      { action: 'close', fd: 9 },
    ] }))`)
  t.equal(stdout, 'err\n')
  t.equal(stderr, 'out\n')
}) // spawn-39

t.test('0-2 are redirected to given descriptors in every permutation', async (t) => {
  const directory = t.testdir({ input: 'input\n', a: '', b: '' })
  const fds = [
    openSync(join(directory, 'input'), 'r'),
    openSync(join(directory, 'a'), 'a'),
    openSync(join(directory, 'b'), 'a'),
  ]
  closing(t, ...fds)
  const [input, a, b] = fds as [number, number, number]
  const roles = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const
  for (const [forInput, forA, forB] of roles) {
    const fileActions: FileAction[] = [
      { action: 'open', fd: input, path: join(directory, 'input'), flags: O_RDONLY }, // anew: the offset is shared
      { action: 'dup2', fd: input, newFd: forInput },
      { action: 'dup2', fd: a, newFd: forA },
      { action: 'dup2', fd: b, newFd: forB },
      { action: 'closefrom', fd: 3 },
    ]
    const script = `echo ${forA} >&${forA}; echo ${forB} >&${forB}; read word <&${forInput}; [ "$word" = input ]`
    const pid = posix_spawnp('sh', ['sh', '-c', script], { fileActions })
    t.equal(waitpid(pid).status, 0)
  }
  t.equal(readFileSync(join(directory, 'a'), 'utf8'), roles.map(([, forA]) => `${forA}\n`).join(''))
  t.equal(readFileSync(join(directory, 'b'), 'utf8'), roles.map(([, , forB]) => `${forB}\n`).join(''))
}) // spawn-50

t.test('stdout goes to a file and stderr to where stdout goes', async (t) => {
  const file = join(t.testdir({}), 'file')
  const open = { action: 'open', fd: 4, path: file, flags: O_WRONLY | O_CREAT } as const
  // 2 -> 3 -> 4 -> 1, each an other name of the file
  const chain: FileAction[] = [
    open,
    { action: 'dup2', fd: 4, newFd: 1 },
    { action: 'dup2', fd: 4, newFd: 3 },
    { action: 'dup2', fd: 3, newFd: 2 },
  ]
  shell('echo errout >&2', chain)
  t.equal(readFileSync(file, 'utf8'), 'errout\n')
}) // spawn-44

t.test('a listening socket is handed over under a number of choice', async (t) => {
  const child = `
    const server = require('node:net').createServer((socket) => {
      socket.end('served by ' + process.pid)
      server.close()
    }).listen({ fd: 7 })`
  const { stdout, stderr } = await runProgram(`
    const net = require('node:net')
    const { posix_spawn, waitpid } = require('truefork')
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      const fileActions = [{ action: 'dup2', fd: server._handle.fd, newFd: 7 }]
      const pid = posix_spawn(process.execPath, ['node', '-e', ${JSON.stringify(child)}], { fileActions })
      server.close()
      const socket = net.connect(port, '127.0.0.1').setEncoding('utf8')
      socket.on('data', (text) => console.log(text === 'served by ' + pid))
      socket.on('close', () => console.log(waitpid(pid).status))
    })`)
  t.equal(stderr, '')
  t.equal(stdout, 'true\n0\n')
}) // spawn-41
