import { fstatSync, readSync, statSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import t from 'tap'
import { F_GETFD, FD_CLOEXEC, fcntl, forkpty, openpty, tcgetwinsize, tcsetwinsize } from 'truefork'
import { capture } from './support/child'
import { linesOf, singleThreaded, withoutAllThreads } from './support/fork'
import { openDescriptors } from './support/process-state'
import { startSession } from './support/session'
import { closing, descriptorsOfProgram } from './support/shell'

const failure = (code: string, syscall: string) => ({ name: 'PosixError', code, syscall })
const notLinux = process.platform !== 'linux' && 'only Linux has /proc'

// all(fd): what comes from a master until nobody has the slave any more.
const prelude = `
  Object.assign(globalThis, require('truefork'))
  function all(fd) {
    let text = ''
    const buffer = Buffer.alloc(4096)
    try {
      for (;;) {
        const count = fs.readSync(fd, buffer)
        if (count === 0) break
        text += buffer.toString('utf8', 0, count)
      }
    } catch ({ code }) {
      if (code !== 'EIO') throw new Error(code) // Linux's word for a hangup
    }
    fs.closeSync(fd)
    return text.replaceAll('\\r\\n', '\\n')
  }
`
const run = (source: string, options?: Parameters<typeof linesOf>[1]) => linesOf(prelude + source, options)

t.test('openpty makes a terminal and its other side', async (t) => {
  const { master, slave, name } = openpty()
  closing(t, master, slave)
  t.ok(isatty(slave))
  t.equal(statSync(name).rdev, fstatSync(slave).rdev)
  const buffer = Buffer.alloc(20)
  writeSync(master, 'typed\n')
  t.equal(buffer.toString('utf8', 0, readSync(slave, buffer)), 'typed\n')
  t.equal(buffer.toString('utf8', 0, readSync(master, buffer)), 'typed\r\n', 'the echo')
  writeSync(slave, 'printed\n')
  t.equal(buffer.toString('utf8', 0, readSync(master, buffer)), 'printed\r\n')
})

t.test('no program inherits a side of it without being given it', { skip: notLinux }, async (t) => {
  const { master, slave } = openpty()
  closing(t, master, slave)
  for (const fd of [master, slave]) t.equal(fcntl(fd, F_GETFD), FD_CLOEXEC)
  t.same(descriptorsOfProgram(), [0, 1, 2])
})

t.test('a terminal has the size that it is given, and another when told', async (t) => {
  const { master, slave } = openpty({ rows: 24, columns: 80 })
  closing(t, master, slave)
  t.same(tcgetwinsize(slave), { rows: 24, columns: 80 })
  tcsetwinsize(master, { rows: 65535, columns: 1 })
  t.same(tcgetwinsize(slave), { rows: 65535, columns: 1 })
  t.same(tcgetwinsize(master), { rows: 65535, columns: 1 })
  for (const [options, size] of [
    [{}, { rows: 0, columns: 0 }],
    [{ columns: 5 }, { rows: 0, columns: 5 }],
    [
      { rows: 5, columns: undefined },
      { rows: 5, columns: 0 },
    ],
  ] as const) {
    const other = openpty(options)
    closing(t, other.master, other.slave)
    t.same(tcgetwinsize(other.slave), size)
  }
})

t.test('a program in the foreground hears of a new size', async (t) => {
  const program = `
    process.stdout.on('resize', () => { console.log('now', process.stdout.columns, process.stdout.rows); process.exit(4) })
    console.log('at first', process.stdout.columns, process.stdout.rows)
    setInterval(() => {}, 1000)`
  const session = startSession(t, [process.execPath, '-e', program], { NO_COLOR: '1' })
  await session.seen('at first 80 24')
  tcsetwinsize(session.master, { rows: 50, columns: 132 })
  await session.seen('now 132 50')
  t.same(await session.ended(), { kind: 'exited', code: 4 })
})

t.test('what is no terminal has no size', async (t) => {
  t.throws(() => tcgetwinsize(9999), failure('EBADF', 'tcgetwinsize'))
  t.throws(() => tcsetwinsize(9999, { rows: 1, columns: 1 }), failure('EBADF', 'tcsetwinsize'))
  const { stdout } = capture([
    process.execPath,
    '-e',
    `const { pipe, tcgetwinsize, tcsetwinsize } = require(${JSON.stringify(require.resolve('truefork'))})
    const [fd] = pipe()
    for (const call of [() => tcgetwinsize(fd), () => tcsetwinsize(fd, { rows: 1, columns: 1 })]) {
      try { call() } catch ({ code, syscall }) { console.log(code, syscall) }
    }`,
  ])
  t.equal(stdout, 'ENOTTY tcgetwinsize\nENOTTY tcsetwinsize\n')
})

t.test('sizes that are none are refused', async (t) => {
  for (const value of [null, '24', {}, true, 1n]) {
    t.throws(() => openpty({ rows: value as never }), { code: 'ERR_INVALID_ARG_TYPE', message: /"options.rows"/ })
    t.throws(() => forkpty({ columns: value as never }), { code: 'ERR_INVALID_ARG_TYPE', message: /"options.columns"/ })
    t.throws(() => tcsetwinsize(0, { rows: 1, columns: value as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const value of [-1, 65536, 1.5, Number.NaN, 2 ** 32]) {
    t.throws(() => openpty({ rows: value }), { code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => forkpty({ columns: value }), { code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => tcsetwinsize(0, { rows: value, columns: 1 }), { code: 'ERR_OUT_OF_RANGE' })
  }
  for (const value of [null, 1, 'x', []]) t.throws(() => openpty(value as never), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const value of [undefined, null, 1]) {
    t.throws(() => tcsetwinsize(0, value as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.throws(() => tcsetwinsize(0, {} as never), { code: 'ERR_INVALID_ARG_TYPE', message: /"size.rows"/ })
})

t.test('a fork that is refused leaves no descriptor', { skip: notLinux }, async (t) => {
  const before = openDescriptors()
  for (const options of [{ threads: 'none' }, { drainMs: 'x' }, { accept: 1 }]) {
    t.throws(() => forkpty(options as never), { code: /^ERR_INVALID_ARG/ })
  }
  t.same(openDescriptors(), before)
  const worker = `
    const { forkpty } = require('truefork')
    const count = () => require('node:fs').readdirSync('/proc/self/fd').length
    const before = count()
    try { forkpty() } catch ({ code, hazards }) { console.log(code, hazards[0].id, count() === before) }`
  const lines = await run(`new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true })`)
  t.same(lines, ['ERR_FORK_HAZARD not-main-thread true'])
})

t.test('a full table of descriptors is EMFILE, and nothing is left open', { skip: notLinux }, async (t) => {
  const lines = await run(`
    const count = () => fs.readdirSync('/proc/self/fd').length
    const { hard } = getrlimit('nofile')
    const highest = Math.max(...fs.readdirSync('/proc/self/fd').map(Number))
    let next = dup(0)
    while (next < highest) next = dup(0) // there are gaps between Node's own
    const full = count()
    for (const free of [0, 1]) {
      setrlimit('nofile', next + 1 + free, hard)
      const codes = [openpty, forkpty].map((call) => { try { call(); return 'made' } catch ({ code, syscall }) { return code + ' ' + syscall } })
      setrlimit('nofile', hard, hard)
      console.log(codes.join(', '), count() === full)
    }`)
  t.equal(lines.length, 2)
  for (const line of lines) t.match(line, /^EMFILE (posix_openpt|open), EMFILE (posix_openpt|open) true$/)
})

for (const threads of ['all', 'caller'] as const) {
  const skip = threads === 'all' && withoutAllThreads
  const options = threads === 'all' ? {} : singleThreaded

  t.test(`the child (${threads}) leads a session, and the terminal is its own`, { skip }, async (t) => {
    const lines = await run(
      `
      const { isatty } = require('node:tty')
      const { pid, fd } = forkpty({ rows: 24, columns: 80, threads: '${threads}' })
      if (pid === 0) {
        const own = [getsid(0) === process.pid, getpgrp() === process.pid, tcgetpgrp(0) === process.pid]
        const { rows, columns } = tcgetwinsize(2)
        console.log([...own, isatty(0), isatty(1), isatty(2), fd, rows, columns].join(' '))
        console.error(['process.stdout', process.stdout.isTTY, process.stdout.columns, process.stdin.isTTY].join(' '))
        console.log(fs.readdirSync('/proc/self/fd').filter((fd) => {
          try { return /^.dev.(pts|ptmx)/.test(fs.readlinkSync('/proc/self/fd/' + fd)) && fd > 2 } catch { return false }
        }).length === 0 ? 'no other' : 'others')
        fs.closeSync(fs.openSync('/dev/tty')) // there is a controlling terminal
        process.exit(0)
      }
      const text = all(fd)
      console.log(JSON.stringify([text, ending(pid)]))`,
      options,
    )
    const [[text, end]] = lines as [[string, number]]
    const [own, streams, ...others] = text.trimEnd().split('\n')
    t.equal(own, 'true true true true true true -1 24 80')
    t.equal(streams, 'process.stdout true 80 true')
    if (process.platform === 'linux') t.match(others[0], /^no other$|^others$/)
    t.equal(end, 0)
  }) // pgrp-06

  t.test(`a child (${threads}) reads what is typed, though its parent has used 0-2 before`, { skip }, async (t) => {
    const program = `${prelude}
      const fs = require('node:fs')
      console.log('parent')
      process.stderr.write('')
      process.stdin.on('data', () => {})
      setTimeout(() => {
        const { pid, fd } = forkpty({ threads: '${threads}' })
        if (pid === 0) {
          process.stdin.on('data', (typed) => {
            console.log('read ' + typed)
            console.error('to stderr')
            process.exit(6)
          })
          console.log('ready')
          return
        }
        const buffer = Buffer.alloc(100)
        let seen = ''
        while (!seen.includes('ready')) seen += buffer.toString('utf8', 0, fs.readSync(fd, buffer))
        fs.writeSync(fd, 'words\\n')
        console.log(JSON.stringify([all(fd).replace(/^[^]*?words\\n/, ''), waitpid(pid).status >> 8]))
        process.exit()
      }, 20)`
    const argv = JSON.stringify([...(options.nodeOptions ?? []), '-e', program])
    // A pipe that stays open: what the parent has made of its standard input goes on in the child.
    const lines = await run(`
      const { spawn } = require('node:child_process')
      spawn(process.execPath, ${argv}, { stdio: ['pipe', 'inherit', 'inherit'] })`)
    t.same(lines, ['parent', ['read words\n\nto stderr\n', 6]])
  })
}

t.test('in a terminal, too, the child has one of its own', async (t) => {
  const program = `
    const { forkpty, waitpid, describeStatus, tcgetpgrp, getpgrp } = require('truefork')
    const fs = require('node:fs')
    console.log('parent on', process.stdout.columns, process.stdin.isTTY)
    process.stdin.on('data', (typed) => { console.log('parent read ' + typed); process.exit(5) })
    const { pid, fd } = forkpty({ rows: 10, columns: 40 })
    if (pid === 0) {
      process.stdin.removeAllListeners('data').on('data', (typed) => { console.log('child read ' + typed); process.exit(3) })
      console.log('child on', process.stdout.getWindowSize().join('x'))
    } else {
      const buffer = Buffer.alloc(1000)
      let seen = ''
      const until = (words) => { while (!seen.includes(words)) seen += buffer.toString('utf8', 0, fs.readSync(fd, buffer)) }
      until('child on 40x10')
      fs.writeSync(fd, 'inner\\n')
      until('child read inner')
      console.log('the child ended with', String(describeStatus(waitpid(pid).status).code), String(tcgetpgrp(0) === getpgrp()))
    }`
  const session = startSession(t, [process.execPath, '-e', program], { NO_COLOR: '1' })
  await session.seen('parent on 80 true')
  await session.seen('the child ended with 3 true')
  session.type('outer\n')
  await session.seen('parent read outer')
  t.same(await session.ended(), { kind: 'exited', code: 5 })
})

t.test('the child can become a program', async (t) => {
  const lines = await run(`
    const { pid, fd } = forkpty({ rows: 33, columns: 99, ...caller })
    if (pid === 0) execvp('stty', ['stty', 'size'])
    console.log(JSON.stringify([all(fd), ending(pid)]))`)
  t.same(lines, [['33 99\n', 0]])
}) // pgrp-06
