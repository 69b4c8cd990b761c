import { chmodSync, closeSync, copyFileSync, openSync, symlinkSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { describeStatus, kill, posix_spawn, posix_spawnp, waitpid } from 'truefork'
import { capture, captureFile, exited, sleeping } from './support/child'
import { withoutChildProcesses } from './support/permission'
import { isChildless, statusField } from './support/process-state'
import { runProgram } from './support/program'

const both = { posix_spawn, posix_spawnp }
const failure = (code: string, path: string) => ({ name: 'PosixError', code, syscall: 'posix_spawn', path })

t.afterEach(() => {
  isChildless()
})

t.test('the pid returned is the program its own', async (t) => {
  const { pid, stdout, status } = capture(['sh', '-c', 'echo $$ $PPID'])
  t.equal(stdout, `${pid} ${process.pid}\n`)
  t.same(status, exited(0))
}) // spawn-01

t.test('options may be left out, undefined or empty', async (t) => {
  for (const options of [undefined, {}, { fileActions: [] }, { env: undefined, fileActions: undefined }]) {
    t.same(describeStatus(waitpid(posix_spawnp('true', ['true'], options)).status), exited(0))
  }
}) // spawn-06

t.test('a missing program is ENOENT with its path, and leaves no child', async (t) => {
  for (const call of Object.values(both)) {
    t.throws(() => call('/nonexistent/program', ['program']), {
      ...failure('ENOENT', '/nonexistent/program'),
      errno: -2,
      message: "ENOENT: no such file or directory, posix_spawn '/nonexistent/program'",
    })
    t.ok(isChildless())
  }
  t.throws(() => posix_spawnp('no-such-program-anywhere', ['x']), failure('ENOENT', 'no-such-program-anywhere'))
  t.throws(() => posix_spawn('sh', ['sh']), failure('ENOENT', 'sh'), 'posix_spawn does not search')
  t.throws(() => posix_spawn('', ['x']), failure('ENOENT', ''))
  t.ok(isChildless())
}) // spawn-02, spawn-37, wait-23

t.test('what is no program says why', async (t) => {
  const directory = t.testdir({ file: 'text', 'no-interpreter': '#!/nonexistent/interpreter\n' })
  const [file, script] = [join(directory, 'file'), join(directory, 'no-interpreter')]
  chmodSync(script, 0o755)
  symlinkSync('loop', join(directory, 'loop'))
  const expected = [
    [file, 'EACCES'],
    [directory, 'EACCES'],
    [join(file, 'below'), 'ENOTDIR'],
    [join(directory, 'loop'), 'ELOOP'],
    [script, 'ENOENT'],
    [`/${'n'.repeat(256)}`, 'ENAMETOOLONG'],
    ['/a'.repeat(2048), 'ENAMETOOLONG'],
  ] as const
  for (const [path, code] of expected) {
    t.throws(() => posix_spawn(path, ['x']), failure(code, path))
    t.ok(isChildless())
  }
}) // spawn-47, exec-13, exec-15, exec-16

t.test('a script without #! is ENOEXEC: there is no falling back to sh', async (t) => {
  const script = join(t.testdir({ script: 'echo ran by sh\n' }), 'script')
  chmodSync(script, 0o755)
  for (const call of Object.values(both)) t.throws(() => call(script, ['script']), failure('ENOEXEC', script))
}) // spawn-29

// These kernels let a running program be written to.
const writable = /^6\.(11|12\.[01](\D|$))/.test(release()) && `Linux ${release()} has no ETXTBSY`

t.test('a program that is open for writing is ETXTBSY', { skip: writable }, async (t) => {
  const program = join(t.testdir({}), 'program')
  copyFileSync('/bin/true', program)
  chmodSync(program, 0o755)
  const fd = openSync(program, 'r+')
  try {
    t.throws(() => posix_spawn(program, ['program']), failure('ETXTBSY', program))
  } finally {
    closeSync(fd)
  }
  t.equal(waitpid(posix_spawn(program, ['program'])).status, 0)
}) // exec-18

t.test('the environment is what env says, and nothing else', async (t) => {
  t.equal(capture(['env'], { env: { foo: 'bar' } }).stdout, 'foo=bar\n')
  t.equal(capture(['env'], { env: {} }).stdout, '')
  t.equal(capture(['env'], { env: [] }).stdout, '')
  t.equal(capture(['env'], { env: { a: '1', left: undefined, b: '' } }).stdout, 'a=1\nb=\n')
  t.equal(capture(['env'], { env: ['a=1', Buffer.from('b=2')] }).stdout, 'a=1\nb=2\n')
}) // spawn-04, spawn-05

t.test('without env the program gets process.env as it is now', async (t) => {
  process.env['TRUEFORK_TEST'] = 'now'
  t.teardown(() => {
    delete process.env['TRUEFORK_TEST']
  })
  t.equal(capture(['sh', '-c', 'echo $TRUEFORK_TEST']).stdout, 'now\n')
  t.equal(capture(['sh', '-c', 'echo $TRUEFORK_TEST'], { env: process.env }).stdout, 'now\n')
  delete process.env['TRUEFORK_TEST']
  t.equal(capture(['sh', '-c', 'echo ${TRUEFORK_TEST-unset}']).stdout, 'unset\n')
}) // spawn-04

t.test('posix_spawnp searches the PATH of the caller, not that of env', async (t) => {
  const directory = t.testdir({ 'truefork-test-program': '#!/bin/sh\necho found with $PATH\n' })
  chmodSync(join(directory, 'truefork-test-program'), 0o755)
  const PATH = process.env['PATH']
  t.teardown(() => {
    process.env['PATH'] = PATH
  })
  t.throws(() => capture(['truefork-test-program'], { env: { PATH: directory } }), { code: 'ENOENT' })
  process.env['PATH'] = `${directory}:${PATH}`
  t.equal(capture(['truefork-test-program'], { env: { PATH: '/other' } }).stdout, 'found with /other\n')
}) // exec-27

t.test('the program sees the argv[0] given', async (t) => {
  const { output } = captureFile(posix_spawn, '/bin/sh', ['another name', '-c', 'cat /proc/$$/cmdline'])
  t.equal(output.toString().split('\0')[0], 'another name')
}) // exec-38

const bytes = Buffer.from([0x66, 0xff, 0xfe, 0x80, 0xc3, 0x28, 0x0a, 0x01])

t.test('the bytes of a Buffer arrive unchanged in arguments, environment and path', async (t) => {
  const printed = capture(['printf', '%s', bytes]).output
  t.same(printed, bytes)
  const env = [Buffer.concat([Buffer.from('NAME='), bytes])]
  t.same(capture(['env', '-0'], { env }).output, Buffer.concat([...env, Buffer.from([0])]))
  const path = Buffer.concat([Buffer.from(`${t.testdir({})}/`), bytes])
  copyFileSync('/bin/echo', path)
  chmodSync(path, 0o755)
  t.equal(captureFile(posix_spawn, path, [path, 'ran']).stdout, 'ran\n')
}) // exec-37

t.test('a string arrives as UTF-8', async (t) => {
  const text = 'naïve – 日本語 – 🚀'
  t.equal(capture(['printf', '%s', text]).stdout, text)
  t.equal(capture(['sh', '-c', 'printf %s "$TEXT"'], { env: { TEXT: text } }).stdout, text)
  t.same(capture(['printf', '%s', '\ud800']).output, Buffer.from('\ufffd'), 'half a character as the replacement one')
}) // exec-37

t.test('a view on other bytes is no more than the view', async (t) => {
  const whole = Buffer.from('xxxmiddlexxx')
  t.equal(capture(['printf', '%s', whole.subarray(3, 9)]).stdout, 'middle')
}) // exec-37

t.test('bytes of the inherited environment that are not UTF-8 pass through', async (t) => {
  const program = `require('truefork').execvp('env', ['env', '-0'])`
  const spawner = `
    const { posix_spawnp, waitpid } = require('truefork')
    waitpid(posix_spawnp('env', ['env', '-0']))`
  for (const source of [program, spawner]) {
    const env = [Buffer.concat([Buffer.from('BYTES='), bytes]), `PATH=${process.env['PATH']}`]
    const { output } = capture([process.execPath, '-e', source], { env })
    t.ok(output.includes(env[0] as Buffer))
  }
}) // exec-37

t.test('256 and 10,000 arguments arrive', async (t) => {
  for (const count of [256, 10_000]) {
    const words = Array.from({ length: count }, (_, index) => `word ${index}`)
    const { output } = capture(['printf', '%s\\0', ...words])
    t.equal(output.toString(), words.map((word) => `${word}\0`).join(''))
  }
}) // exec-36

t.test('more than the system takes is E2BIG', async (t) => {
  const words = Array.from({ length: 100 }, () => 'x'.repeat(100_000))
  t.throws(() => posix_spawnp('true', ['true', ...words]), failure('E2BIG', 'true'))
  t.throws(() => posix_spawnp('true', ['true', 'x'.repeat(2 ** 20)]), failure('E2BIG', 'true'))
  t.throws(() => posix_spawnp('true', ['true'], { env: words.map((word) => `A=${word}`) }), failure('E2BIG', 'true'))
  t.ok(isChildless())
}) // exec-36

t.test('several programs started at once all end well', async (t) => {
  const gate = sleeping(t)
  const wait = `while kill -0 ${gate} 2>/dev/null; do sleep 0.01; done`
  const pids = Array.from({ length: 10 }, () => posix_spawnp('sh', ['sh', '-c', `${wait}; exec true`]))
  kill(gate, 'SIGKILL')
  waitpid(gate)
  for (const pid of pids) t.equal(waitpid(pid).status, 0)
}) // exec-19

t.test('a signal ends a child, and its status says so', async (t) => {
  const pid = sleeping(t)
  kill(pid, 'SIGTERM')
  t.same(describeStatus(waitpid(pid).status), { kind: 'signaled', signal: 'SIGTERM', core: false })
}) // spawn-36

t.test('the program runs in one thread and in the directory of its parent', async (t) => {
  const { stdout } = capture(['cat', '/proc/self/status'])
  t.equal(statusField('Threads', stdout), '1')
  t.equal(capture(['pwd']).stdout, `${process.cwd()}\n`)
})

t.test('a Worker can spawn as the main thread can', async (t) => {
  const worker = `
    const { posix_spawnp, waitpid } = require('truefork')
    const pid = posix_spawnp('sh', ['sh', '-c', 'echo $$; exit 4'], { env: { ...process.env, A: 'b' } })
    const { status } = waitpid(pid)
    try { posix_spawnp('no-such-program', ['x']) } catch ({ code }) {
      require('node:worker_threads').parentPort.postMessage({ pid, status, code })
    }`
  const { stdout, stderr } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    new Worker(${JSON.stringify(worker)}, { eval: true }).on('message', (told) => console.log(JSON.stringify(told)))`)
  t.equal(stderr, '')
  const [pid, told] = stdout.trim().split('\n')
  t.same(JSON.parse(told as string), { pid: Number(pid), status: 4 << 8, code: 'ENOENT' })
}) // exec-31

t.test('a Worker that is ended in the middle of its spawns leaves whole children, or none', async (t) => {
  const worker = `
    const { posix_spawnp, waitpid } = require('truefork')
    require('node:worker_threads').parentPort.postMessage('ready')
    for (;;) waitpid(posix_spawnp('sh', ['sh', '-c', 'exit 6']))`
  const { stdout, stderr } = await runProgram(`
    const { once } = require('node:events')
    const { Worker } = require('node:worker_threads')
    const { wait } = require('truefork')
    async function main() {
      for (let round = 0; round < 5; round++) {
        const worker = new Worker(${JSON.stringify(worker)}, { eval: true })
        await once(worker, 'message')
        await new Promise((resolve) => setTimeout(resolve, 20 + round))
        await worker.terminate()
      }
      // The children of a thread that has ended are the main thread's.
      const statuses = new Set([6])
      let last
      try { for (;;) statuses.add(wait().status >> 8) } catch ({ code }) { last = code }
      console.log([...statuses].join(' ') + ' ' + last)
    }
    main()`)
  t.equal(stderr, '')
  t.equal(stdout, '6 ECHILD\n')
}) // fork.hazard-17

t.test('a Worker hands its own process.env on', async (t) => {
  const worker = `
    process.env.MINE = 'of the Worker'
    const { posix_spawnp, waitpid } = require('truefork')
    waitpid(posix_spawnp('sh', ['sh', '-c', 'echo $MINE']))`
  const { stdout } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    new Worker(${JSON.stringify(worker)}, { eval: true }).on('exit', () => console.log(process.env.MINE))`)
  t.equal(stdout, 'of the Worker\nundefined\n')
})

const notRoot = process.getuid?.() !== 0 && 'only root can become another user'

t.test('a program that its caller may not run is EACCES', { skip: notRoot }, async (t) => {
  const directory = t.testdir({})
  const program = join(directory, 'program')
  copyFileSync('/bin/true', program)
  chmodSync(program, 0o700)
  const { stdout } = await runProgram(
    `const { posix_spawn, execv } = require('truefork')
    process.chdir('/')
    process.setgroups([])
    process.setgid(65534)
    process.setuid(65534)
    for (const call of [posix_spawn, execv]) {
      try { call(process.argv[1], ['x']) } catch ({ code, syscall }) { console.log(code, syscall) }
    }
    require('truefork')._exit(0) // handlers of the test runner's would need their old user`,
    { args: [program] },
  )
  t.equal(stdout, 'EACCES posix_spawn\nEACCES execve\n')
}) // exec-12

t.test('a process too many for its user is EAGAIN', { skip: notRoot }, async (t) => {
  const program = `
    const { posix_spawnp, wait } = require('truefork')
    process.setgid(65534)
    process.setuid(65534)
    for (const call of [() => posix_spawnp('true', ['true']), wait]) {
      try { call() } catch ({ code, syscall }) { console.log(code, syscall) }
    }
    require('truefork')._exit(0) // handlers of the test runner's would need their old user`
  // Shells don't agree on the letter.
  const limit = '{ ulimit -u 1 || ulimit -p 1; } 2>/dev/null'
  const argv = JSON.stringify(['sh', '-c', `${limit}; exec "$0" -e "$1"`, process.execPath, program])
  const { stdout } = await runProgram(`require('truefork').execvp('sh', ${argv})`)
  t.equal(stdout, 'EAGAIN posix_spawn\nECHILD wait\n')
})

t.test('under --permission without --allow-child-process nothing is spawned', async (t) => {
  const stdout = withoutChildProcesses(`require('truefork').posix_spawnp('true', ['true'])`)
  t.match(stdout, /^ERR_(DLOPEN_DISABLED|ACCESS_DENIED)\n$/)
}) // exec-08
