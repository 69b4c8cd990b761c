// What each file action does.
import { chmodSync, closeSync, openSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  dup,
  type FileAction,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  posix_spawnp,
  waitpid,
} from 'truefork'
import { capture } from './support/child'
import { runWithDescriptors } from './support/limits'
import { isChildless } from './support/process-state'
import { runProgram } from './support/program'
import { closing, descriptorsOfProgram, shell } from './support/shell'

t.afterEach(() => {
  isChildless()
})

t.test('actions are done in their order', async (t) => {
  const fileActions: FileAction[] = [
    { action: 'open', fd: 3, path: '/dev/null', flags: O_RDONLY },
    { action: 'close', fd: 0 },
    { action: 'dup2', fd: 1, newFd: 4 },
    { action: 'dup2', fd: 3, newFd: 5 },
    { action: 'close', fd: 3 },
  ]
  t.same(descriptorsOfProgram(fileActions, 10), [1, 2, 4, 5])
  t.equal(shell('echo to 4 >&4', fileActions), 'to 4\n')
}) // spawn-17

t.test('open makes a file with the mode less the umask', async (t) => {
  const file = join(t.testdir({}), 'file')
  const umask = process.umask(0o027)
  t.teardown(() => {
    process.umask(umask)
  })
  const open = (mode?: number): FileAction => {
    const action = { action: 'open', fd: 1, path: file, flags: O_WRONLY | O_CREAT | O_TRUNC } as const
    return mode === undefined ? action : { ...action, mode }
  }
  shell('echo first', [open(0o604)])
  t.equal(readFileSync(file, 'utf8'), 'first\n')
  t.equal(statSync(file).mode & 0o7777, 0o600)
  shell('rm "$1"', [], file)
  shell('echo second', [open()])
  t.equal(readFileSync(file, 'utf8'), 'second\n')
  t.equal(statSync(file).mode & 0o7777, 0o640, 'the default mode is 0o666')
  t.equal(process.umask(), 0o027)
}) // spawn-19, spawn-46

t.test('open opens as its flags say', async (t) => {
  const file = join(t.testdir({ file: 'old\n' }), 'file')
  shell('echo appended', [{ action: 'open', fd: 1, path: Buffer.from(file), flags: O_WRONLY | O_APPEND }])
  t.equal(readFileSync(file, 'utf8'), 'old\nappended\n')
  t.equal(shell('cat', [{ action: 'open', fd: 0, path: file, flags: O_RDONLY }]), 'old\nappended\n')
}) // spawn-19

t.test('a closed descriptor is closed to the program', async (t) => {
  t.same(descriptorsOfProgram([{ action: 'close', fd: 0 }], 10), [1, 2])
  const said = shell('exec 2>&1; cat; true', [{ action: 'close', fd: 0 }])
  t.match(said, /Bad file descriptor/)
}) // spawn-20

t.test('closing what is not open is no error', async (t) => {
  t.equal(shell('echo well', [{ action: 'close', fd: 77 }]), 'well\n')
})

t.test('dup2 of a file onto 1 has the output go there', async (t) => {
  const file = join(t.testdir({}), 'file')
  const fd = openSync(file, 'w')
  closing(t, fd)
  shell('echo output', [{ action: 'dup2', fd, newFd: 1 }])
  t.equal(readFileSync(file, 'utf8'), 'output\n')
}) // spawn-21

t.test('open onto a number that the parent has closed', async (t) => {
  const file = join(t.testdir({ file: 'content\n' }), 'file')
  const { stdout } = await runProgram(
    `const { posix_spawnp, waitpid, O_RDONLY } = require('truefork')
    require('node:fs').closeSync(0)
    const fileActions = [{ action: 'open', fd: 0, path: process.argv[1], flags: O_RDONLY }]
    console.log(waitpid(posix_spawnp('cat', ['cat'], { fileActions })).status)`,
    { args: [file] },
  )
  t.equal(stdout, 'content\n0\n')
}) // spawn-24

t.test('chdir and fchdir hold for what comes after them, and for the program', async (t) => {
  const directory = realpathSync(t.testdir({ inner: { program: '#!/bin/sh\npwd\ncat <&3\n', data: 'inner data\n' } }))
  chmodSync(join(directory, 'inner', 'program'), 0o755)
  const before = process.cwd()
  const open = { action: 'open', fd: 3, path: 'data', flags: O_RDONLY } as const
  const fd = openSync(directory, O_RDONLY | O_DIRECTORY)
  closing(t, fd)
  const ways: FileAction[][] = [
    [{ action: 'chdir', path: join(directory, 'inner') }, open],
    [{ action: 'fchdir', fd }, { action: 'chdir', path: 'inner' }, open],
    [{ action: 'chdir', path: directory }, { action: 'chdir', path: Buffer.from('inner') }, open],
  ]
  for (const fileActions of ways) {
    t.equal(capture(['./program'], { fileActions }).stdout, `${join(directory, 'inner')}\ninner data\n`)
  }
  t.equal(process.cwd(), before)
}) // spawn-32

t.test('closefrom leaves only what is below, over gaps too', async (t) => {
  const fds = Array.from({ length: 100 }, () => dup(0))
  closing(t, ...fds)
  const middle = fds[50] as number
  const below = [0, 1, 2, ...fds.filter((fd) => fd < middle)]
  t.same(descriptorsOfProgram([{ action: 'closefrom', fd: middle }], 200), below)
  for (const fd of fds.filter((_, index) => index % 3 === 0)) closeSync(fd)
  const kept = [0, 1, 2, ...fds.filter((fd, index) => fd < middle && index % 3 !== 0)]
  t.same(descriptorsOfProgram([{ action: 'closefrom', fd: middle }], 200), kept)
  t.same(descriptorsOfProgram([{ action: 'closefrom', fd: 3 }], 200), [0, 1, 2])
}) // spawn-30

t.test('closefrom works under a low limit with a full table', async (t) => {
  const { stdout, stderr } = await runWithDescriptors(
    64,
    `const { dup, posix_spawnp, waitpid } = require('truefork')
    const fds = []
    try { for (;;) fds.push(dup(0)) } catch {}
    const fileActions = [{ action: 'closefrom', fd: 30 }]
    const look = 'for i in 29 30 40 63; do [ -e /proc/$$/fd/$i ] && echo $i; done; true'
    waitpid(posix_spawnp('sh', ['sh', '-c', look], { fileActions }))`,
  )
  t.equal(stderr, '')
  t.equal(stdout, '29\n')
}) // spawn-30

t.test('open waits for the other end of a FIFO, and the call with it', async (t) => {
  const fifo = join(t.testdir({}), 'fifo')
  shell('mkfifo "$1"', [], fifo)
  const writer = posix_spawnp('sh', ['sh', '-c', 'sleep 0.2; echo through the FIFO > "$0"', fifo])
  t.equal(shell('cat', [{ action: 'open', fd: 0, path: fifo, flags: O_RDONLY }]), 'through the FIFO\n')
  t.equal(waitpid(writer).status, 0)
}) // spawn-45
