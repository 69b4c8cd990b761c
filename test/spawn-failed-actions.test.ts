// A file action that fails is named, and there is no child.
import { chmodSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type FileAction, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_WRONLY, posix_spawnp } from 'truefork'
import { isChildless, openDescriptors } from './support/process-state'
import { runProgram } from './support/program'
import { closing } from './support/shell'

t.afterEach(() => {
  isChildless()
})

t.test('an action that fails is named, and leaves no child and no descriptor', async (t) => {
  const directory = t.testdir({ file: 'text', closed: {} })
  const file = join(directory, 'file')
  const [missing, below] = [join(directory, 'missing'), join(file, 'below')]
  const fd = openSync(file, 'r')
  closing(t, fd)
  const failing: [FileAction[], { code: string; syscall: string; path?: string }][] = [
    [[{ action: 'dup2', fd: 77, newFd: 1 }], { code: 'EBADF', syscall: 'dup2' }],
    [[{ action: 'dup2', fd: 77, newFd: 77 }], { code: 'EBADF', syscall: 'dup2' }],
    [
      [
        { action: 'close', fd },
        { action: 'dup2', fd, newFd: 1 },
      ],
      { code: 'EBADF', syscall: 'dup2' },
    ],
    [
      [
        { action: 'closefrom', fd: 3 },
        { action: 'dup2', fd, newFd: 1 },
      ],
      { code: 'EBADF', syscall: 'dup2' },
    ],
    [[{ action: 'chdir', path: missing }], { code: 'ENOENT', syscall: 'chdir', path: missing }],
    [[{ action: 'chdir', path: file }], { code: 'ENOTDIR', syscall: 'chdir', path: file }],
    [[{ action: 'fchdir', fd: 77 }], { code: 'EBADF', syscall: 'fchdir' }],
    [[{ action: 'fchdir', fd }], { code: 'ENOTDIR', syscall: 'fchdir' }],
    [[{ action: 'open', fd: 0, path: missing, flags: O_RDONLY }], { code: 'ENOENT', syscall: 'open', path: missing }],
    [[{ action: 'open', fd: 0, path: below, flags: O_RDONLY }], { code: 'ENOTDIR', syscall: 'open', path: below }],
    [
      [{ action: 'open', fd: 0, path: directory, flags: O_WRONLY }],
      { code: 'EISDIR', syscall: 'open', path: directory },
    ],
    [
      [{ action: 'open', fd: 0, path: file, flags: O_WRONLY | O_CREAT | O_EXCL }],
      { code: 'EEXIST', syscall: 'open', path: file },
    ],
    [
      [{ action: 'open', fd: 0, path: file, flags: O_RDONLY | O_DIRECTORY }],
      { code: 'ENOTDIR', syscall: 'open', path: file },
    ],
    [
      [
        { action: 'chdir', path: directory },
        { action: 'open', fd: 0, path: 'missing', flags: O_RDONLY },
      ],
      { code: 'ENOENT', syscall: 'open', path: 'missing' },
    ],
    [[{ action: 'tcsetpgrp', fd: 77 }], { code: 'EBADF', syscall: 'tcsetpgrp' }],
    [[{ action: 'tcsetpgrp', fd }], { code: 'ENOTTY', syscall: 'tcsetpgrp' }],
  ]
  const before = openDescriptors()
  for (const [fileActions, expected] of failing) {
    t.throws(() => posix_spawnp('true', ['true'], { fileActions }), { name: 'PosixError', ...expected })
    t.ok(isChildless())
  }
  t.same(openDescriptors(), before)
}) // spawn-18

t.test('after actions that went well a failing exec names the program', async (t) => {
  const fileActions: FileAction[] = [
    { action: 'open', fd: 0, path: '/dev/null', flags: O_RDONLY },
    { action: 'dup2', fd: 0, newFd: 5 },
    { action: 'chdir', path: '/' },
  ]
  t.throws(() => posix_spawnp('/nonexistent', ['x'], { fileActions }), {
    code: 'ENOENT',
    syscall: 'posix_spawn',
    path: '/nonexistent',
  })
  t.ok(isChildless())
}) // spawn-02

const notRoot = process.getuid?.() !== 0 && 'only root can become another user'

t.test('what a user may not open or enter is EACCES by its name', { skip: notRoot }, async (t) => {
  const directory = t.testdir({ secret: 'text' })
  const [file, room] = [join(directory, 'secret'), join(directory, 'room')]
  chmodSync(file, 0o600)
  mkdirSync(room, 0o700)
  const { stdout, stderr } = await runProgram(
    `const { posix_spawnp, wait, O_RDONLY, O_WRONLY } = require('truefork')
    const [file, room] = process.argv.slice(1)
    const fd = require('node:fs').openSync(room)
    process.chdir('/')
    process.setgroups([])
    process.setgid(65534)
    process.setuid(65534)
    const actions = [
      { action: 'open', fd: 0, path: file, flags: O_RDONLY },
      { action: 'open', fd: 0, path: file, flags: O_WRONLY },
      { action: 'chdir', path: room },
      { action: 'fchdir', fd },
    ]
    for (const action of actions) {
      try { posix_spawnp('true', ['true'], { fileActions: [action] }) } catch ({ code, syscall, path }) {
        console.log(code, syscall, path === action.path)
      }
    }
    try { wait() } catch ({ code }) { console.log(code) }
    require('truefork')._exit(0) // handlers of the test runner's would need their old user`,
    { args: [file, room] },
  )
  t.equal(stderr, '')
  t.equal(stdout, 'EACCES open true\nEACCES open true\nEACCES chdir true\nEACCES fchdir true\nECHILD\n')
}) // exec-12

t.test('a descriptor that can not be is EBADF before there is a child', async (t) => {
  const actions = (fd: number): FileAction[] => [
    { action: 'open', fd, path: '/dev/null', flags: O_RDONLY },
    { action: 'close', fd },
    { action: 'dup2', fd, newFd: 1 },
    { action: 'dup2', fd: 1, newFd: fd },
  ]
  for (const fd of [-1, -2, -0x80000000, 0x7fffffff]) {
    for (const action of actions(fd)) {
      t.throws(() => posix_spawnp('true', ['true'], { fileActions: [action] }), {
        name: 'PosixError',
        code: 'EBADF',
        syscall: action.action,
      })
      t.ok(isChildless())
    }
  }
  for (const action of [
    { action: 'fchdir', fd: -1 },
    { action: 'closefrom', fd: -1 },
    { action: 'tcsetpgrp', fd: -1 },
  ] as const) {
    t.throws(() => posix_spawnp('true', ['true'], { fileActions: [action] }), { code: 'EBADF', syscall: action.action })
    t.ok(isChildless())
  }
}) // spawn-31, spawn-48

t.test('inherit is of macOS alone', { skip: process.platform === 'darwin' && 'this is macOS' }, async (t) => {
  t.throws(() => posix_spawnp('true', ['true'], { fileActions: [{ action: 'inherit', fd: 0 }] }), {
    name: 'PosixError',
    code: 'ENOSYS',
    syscall: 'inherit',
  })
  t.ok(isChildless())
})
