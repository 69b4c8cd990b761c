// A wrong argument is told by its name and Node's code before anything happens: no exec, no process.
import t from 'tap'
import * as truefork from 'truefork'
import { isChildless } from './support/process-state'

type Call = (...words: unknown[]) => unknown
const calls = truefork as unknown as Record<string, Call>
const call =
  (name: string, ...words: unknown[]): (() => unknown) =>
  () =>
    (calls[name] as Call)(...words)

const badType = (name: string) => ({
  name: 'TypeError',
  code: 'ERR_INVALID_ARG_TYPE',
  message: new RegExp(`"${escaped(name)}" (argument|property) must be`),
})
const badValue = (name: string) => ({
  name: 'TypeError',
  code: 'ERR_INVALID_ARG_VALUE',
  message: new RegExp(`'${escaped(name)}' `),
})
const badRange = (name: string) => ({
  name: 'RangeError',
  code: 'ERR_OUT_OF_RANGE',
  message: new RegExp(`"${escaped(name)}" is out of range`),
})
const escaped = (name: string) => name.replace(/[[\].]/g, '\\$&')

const noStrings = [undefined, null, 1, true, {}, [], Symbol('x'), () => {}, 1n]
const noNumbers = [undefined, null, '1', true, {}, [], 1n]
const noInt32s = [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -(2 ** 31) - 1]

/** Functions that start a program: `start(path, argv, env)` with what each takes of these. */
const starters: Record<
  string,
  { start: (path: unknown, argv: unknown, env: unknown) => unknown; path: string; env?: string }
> = {
  execv: { start: (path, argv) => calls['execv']?.(path, argv), path: 'path' },
  execve: { start: (path, argv, env) => calls['execve']?.(path, argv, env), path: 'path', env: 'env' },
  execvp: { start: (path, argv) => calls['execvp']?.(path, argv), path: 'file' },
  execvpe: { start: (path, argv, env) => calls['execvpe']?.(path, argv, env), path: 'file', env: 'env' },
  posix_spawn: {
    start: (path, argv, env) => calls['posix_spawn']?.(path, argv, { env }),
    path: 'path',
    env: 'options.env',
  },
  posix_spawnp: {
    start: (path, argv, env) => calls['posix_spawnp']?.(path, argv, { env }),
    path: 'file',
    env: 'options.env',
  },
}

for (const [name, { start, path, env }] of Object.entries(starters)) {
  t.test(`${name} refuses a path that is none`, async (t) => {
    for (const value of noStrings) t.throws(() => start(value, ['x'], {}), badType(path))
    t.throws(() => start('/bin/true\0', ['x'], {}), badValue(path))
    t.throws(() => start(Buffer.from('/bin/\0true'), ['x'], {}), badValue(path))
    t.ok(isChildless())
  }) // exec-05, spawn-18

  t.test(`${name} refuses arguments that are none`, async (t) => {
    for (const value of [undefined, null, 'true', 1, {}, new Set(['x'])]) {
      t.throws(() => start('/bin/true', value, {}), badType('argv'))
    }
    for (const value of noStrings) {
      t.throws(() => start('/bin/true', [value], {}), badType('argv[0]'))
      t.throws(() => start('/bin/true', ['x', 'y', value], {}), badType('argv[2]'))
    }
    t.throws(() => start('/bin/true', ['x', 'a\0b'], {}), badValue('argv[1]'))
    t.throws(() => start('/bin/true', ['x', Buffer.from([0])], {}), badValue('argv[1]'))
    const holed = ['x', 'y', 'z']
    delete holed[1]
    t.throws(() => start('/bin/true', holed, {}), badType('argv[1]'))
    t.ok(isChildless())
  }) // exec-05, exec-40

  t.test(`${name} refuses an empty argv or argv[0]`, async (t) => {
    t.throws(() => start('/bin/true', [], {}), badValue('argv'))
    t.throws(() => start('/bin/true', [''], {}), badValue('argv[0]'))
    t.throws(() => start('/bin/true', [Buffer.alloc(0), 'x'], {}), badValue('argv[0]'))
    t.ok(isChildless())
  }) // exec-10, exec-11

  if (env === undefined) continue

  t.test(`${name} refuses an environment that is none`, async (t) => {
    for (const value of [null, 'A=1', 1, true, () => {}]) t.throws(() => start('/bin/true', ['x'], value), badType(env))
    for (const value of [null, 1, true, {}, Buffer.from('x')]) {
      t.throws(() => start('/bin/true', ['x'], { A: value }), badType(`${env}.A`))
    }
    for (const key of ['A=B', '=', 'A\0B', ''])
      t.throws(() => start('/bin/true', ['x'], { [key]: 'value' }), badValue(env))
    t.throws(() => start('/bin/true', ['x'], { A: 'value\0' }), badValue(`${env}.A`))
    for (const value of ['A', '', '=A', Buffer.from('A')]) {
      t.throws(() => start('/bin/true', ['x'], ['B=1', value]), badValue(`${env}[1]`))
    }
    t.throws(() => start('/bin/true', ['x'], ['A=\0']), badValue(`${env}[0]`))
    t.throws(() => start('/bin/true', ['x'], [1]), badType(`${env}[0]`))
    t.ok(isChildless())
  }) // exec-05, exec-09, exec-40
}

t.test('an exec whose environment was left out is refused', async (t) => {
  t.throws(call('execve', '/bin/true', ['x']), badType('env'))
  t.throws(call('execvpe', 'true', ['x']), badType('env'))
  t.throws(call('fexecve', 0, ['x']), badType('env'))
  t.throws(call('execle', '/bin/true', 'x', 'y'), badType('env'))
  t.throws(call('execlpe', 'true', 'x', undefined), badType('env'))
}) // exec-05

t.test('the arguments one by one are checked as those of a list', async (t) => {
  t.throws(call('execl', '/bin/true'), badValue('argv'))
  t.throws(call('execl', '/bin/true', ''), badValue('argv[0]'))
  t.throws(call('execl', '/bin/true', 'x', 1), badType('argv[1]'))
  t.throws(call('execlp', 1, 'x'), badType('file'))
  t.throws(call('execle', '/bin/true', {}), badValue('argv'))
  t.throws(call('execlpe', 'true', 'x', null, {}), badType('argv[1]'))
  t.throws(call('execle', '/bin/true', 'x', { 'A=B': '1' }), badValue('env'))
}) // exec-05, exec-10

t.test('fexecve refuses what is no descriptor', async (t) => {
  for (const value of noNumbers) t.throws(call('fexecve', value, ['x'], {}), badType('fd'))
  for (const value of noInt32s) t.throws(call('fexecve', value, ['x'], {}), badRange('fd'))
}) // exec-05

const spawn = (options: unknown): (() => unknown) => call('posix_spawnp', 'true', ['true'], options)

t.afterEach(() => {
  isChildless()
})

t.test('options that are none are refused', async (t) => {
  for (const value of [null, 'x', 1, true, [], () => {}]) t.throws(spawn(value), badType('options'))
})

t.test('numbers that are no int32 are refused', async (t) => {
  for (const name of ['setpgroup', 'cgroup']) {
    for (const value of [null, '1', true, {}, 1n]) t.throws(spawn({ [name]: value }), badType(`options.${name}`))
    for (const value of noInt32s) t.throws(spawn({ [name]: value }), badRange(`options.${name}`))
  }
}) // spawn-08

t.test('flags that are no booleans are refused', async (t) => {
  for (const name of ['setsid', 'resetids', 'cloexecDefault', 'startSuspended', 'setexec']) {
    for (const value of [null, 0, 1, 'true', {}]) t.throws(spawn({ [name]: value }), badType(`options.${name}`))
  }
}) // spawn-07, spawn-11

t.test('signals that are none are refused', async (t) => {
  for (const name of ['setsigmask', 'setsigdef']) {
    const whole = `options.${name}`
    for (const value of [null, 34, 'SIGINT', true, {}]) t.throws(spawn({ [name]: value }), badType(whole))
    for (const value of [null, undefined, {}, true, 1n]) t.throws(spawn({ [name]: [1, value] }), badType(`${whole}[1]`))
    for (const value of ['j', 'INT', 'sigint', '', '2', 'toString']) {
      t.throws(spawn({ [name]: new Set([value]) }), badValue(`${whole}[0]`))
    }
    for (const value of [0, -1, truefork.NSIG, truefork.NSIG + 1, 2 ** 31, 1.5, Number.NaN]) {
      t.throws(spawn({ [name]: [value] }), badRange(`${whole}[0]`))
    }
  }
}) // spawn-10, spawn-13

t.test('a scheduler that is none is refused', async (t) => {
  for (const value of [null, 1, 'x']) t.throws(spawn({ scheduler: value }), badType('options.scheduler'))
  t.throws(spawn({ scheduler: {} }), badType('options.scheduler.priority'))
  t.throws(spawn({ scheduler: { policy: 0 } }), badType('options.scheduler.priority'))
  t.throws(spawn({ scheduler: { policy: 'x', priority: 0 } }), badType('options.scheduler.policy'))
  t.throws(spawn({ scheduler: { priority: 0.5 } }), badRange('options.scheduler.priority'))
}) // spawn-16

const at = 'options.fileActions[0]'
const act = (action: unknown): (() => unknown) => spawn({ fileActions: [action] })

t.test('file actions that are none are refused', async (t) => {
  for (const value of [null, 1, 'close', {}, new Set()])
    t.throws(spawn({ fileActions: value }), badType('options.fileActions'))
  for (const value of [null, undefined, 1, 'close']) t.throws(act(value), badType(at))
  for (const value of [{}, { action: 1 }, { action: null }, []]) t.throws(act(value), badType(`${at}.action`))
  for (const value of ['', 'dup', 'toString', '__proto__', 'Open'])
    t.throws(act({ action: value }), badValue(`${at}.action`))
}) // spawn-18

// A good one of each, to be spoilt field by field.
const good: Record<string, Record<string, unknown>> = {
  open: { fd: 5, path: '/dev/null', flags: 0 },
  close: { fd: 5 },
  dup2: { fd: 1, newFd: 5 },
  chdir: { path: '/' },
  fchdir: { fd: 0 },
  closefrom: { fd: 5 },
  tcsetpgrp: { fd: 0 },
  inherit: { fd: 0 },
}

for (const [action, fields] of Object.entries(good)) {
  t.test(`${action} refuses fields that are missing, wrong or too many`, async (t) => {
    for (const [name, value] of Object.entries(fields)) {
      const { [name]: _left, ...rest } = fields
      t.throws(act({ action, ...rest }), badType(`${at}.${name}`))
      const wrong = typeof value === 'number' ? noNumbers : noStrings
      for (const other of wrong) t.throws(act({ action, ...fields, [name]: other }), badType(`${at}.${name}`))
      if (typeof value === 'string') {
        t.throws(act({ action, ...fields, [name]: 'a\0b' }), badValue(`${at}.${name}`))
      } else {
        for (const other of noInt32s) t.throws(act({ action, ...fields, [name]: other }), badRange(`${at}.${name}`))
      }
    }
    t.throws(act({ action, ...fields, extra: 1 }), badValue(at))
    t.ok(isChildless())
  })
} // spawn-18, spawn-31, spawn-48

t.test('the mode of an open may be left out, not be wrong', async (t) => {
  const open = { action: 'open', ...good['open'] }
  for (const mode of [null, '0644', true]) t.throws(act({ ...open, mode }), badType(`${at}.mode`))
  for (const mode of noInt32s) t.throws(act({ ...open, mode }), badRange(`${at}.mode`))
}) // spawn-18

t.test('every number of the other calls has to be an int32', async (t) => {
  const good: Record<string, [string, unknown][]> = {
    kill: [
      ['pid', 0],
      ['signal', 0],
    ],
    killpg: [
      ['pgid', 0],
      ['signal', 0],
    ],
    getpgid: [['pid', 0]],
    setpgid: [
      ['pid', 0],
      ['pgid', 0],
    ],
    getsid: [['pid', 0]],
    tcgetpgrp: [['fd', 0]],
    tcsetpgrp: [
      ['fd', 0],
      ['pgid', 0],
    ],
    tcgetwinsize: [['fd', 0]],
    sigprocmask: [['how', 0]],
    prlimit: [['pid', 0]],
    pipe2: [['flags', 0]],
    dup: [['fd', 0]],
    dup2: [
      ['fd', 0],
      ['newFd', 50],
    ],
    dup3: [
      ['fd', 0],
      ['newFd', 50],
      ['flags', 0],
    ],
    fcntl: [
      ['fd', 0],
      ['cmd', truefork.F_GETFD],
      ['arg', 0],
    ],
    closefrom: [['fd', 500]],
    close_range: [
      ['first', 500],
      ['last', 500],
      ['flags', 0],
    ],
    socketpair: [['type', truefork.SOCK_STREAM]],
    sendFds: [['socket', 0]],
    recvFds: [
      ['socket', -1],
      ['maxBytes', 1],
    ],
    umask: [['mask', 0]],
    _exit: [['status', 0]],
  }
  for (const [name, parameters] of Object.entries(good)) {
    for (const [index, [parameter]] of parameters.entries()) {
      const words = (value: unknown) => parameters.map(([, usual], at) => (at === index ? value : usual))
      const strings = parameter === 'signal' ? [null, {}, true, 1n] : [null, '1', {}, true, 1n]
      for (const value of strings) t.throws(call(name, ...words(value)), badType(parameter))
      for (const value of noInt32s) t.throws(call(name, ...words(value)), badRange(parameter))
    }
  }
}) // spawn-48
