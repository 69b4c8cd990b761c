import { chmodSync, closeSync, copyFileSync, openSync, symlinkSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { execl, execle, execv, execve, fexecve } from 'truefork'
import { capture } from './support/child'
import { singleThreaded } from './support/fork'
import { withoutChildProcesses } from './support/permission'
import { type ProgramOptions, runProgram } from './support/program'

const failure = (code: string, path: string) => ({ name: 'PosixError', code, syscall: 'execve', path })

/** Runs `call` in a Node of its own, with everything of the package in scope, and returns what came out. */
async function outputOf(call: string, before = '', options?: ProgramOptions): Promise<string> {
  const { stdout, stderr, code, signal } = await runProgram(
    `Object.assign(globalThis, require('truefork'))
    ${before}
    ${call}`,
    options,
  )
  if (stderr !== '' || code !== 0) throw new Error(`${call} ended with ${code ?? signal}: ${stderr}`)
  return stdout
}

t.test('the program gets its arguments and exactly the environment given', async (t) => {
  const script = 'echo "$0 $1 $2"; env'
  const argv = JSON.stringify(['-c', script, 'zero', 'one', 'two words'])
  const call = `execve('/bin/sh', ['sh', ...${argv}], { NAME: 'value', LEFT: undefined })`
  const lines = (await outputOf(call)).trim().split('\n')
  t.equal(lines[0], 'zero one two words')
  t.same(new Set(lines.slice(1).filter((line) => !/^(PWD|SHLVL|_|OLDPWD)=/.test(line))), new Set(['NAME=value']))
  t.equal(await outputOf(`execve('/usr/bin/env', ['env'], { NAME: 'value', b: '' })`), 'NAME=value\nb=\n')
  t.equal(await outputOf(`execve('/usr/bin/env', ['env'], {})`), '')
}) // exec-01

// Each member of the family, running a shell that prints what it was given.
const family = {
  execv: `execv('/bin/sh', ['sh', '-c', 'echo $0 $WHOSE', 'given'])`,
  execvp: `execvp('sh', ['sh', '-c', 'echo $0 $WHOSE', 'given'])`,
  execl: `execl('/bin/sh', 'sh', '-c', 'echo $0 $WHOSE', 'given')`,
  execlp: `execlp('sh', 'sh', '-c', 'echo $0 $WHOSE', 'given')`,
  execve: `execve('/bin/sh', ['sh', '-c', 'echo $0 $WHOSE', 'given'], { WHOSE: 'new' })`,
  execvpe: `execvpe('sh', ['sh', '-c', 'echo $0 $WHOSE', 'given'], { WHOSE: 'new' })`,
  execle: `execle('/bin/sh', 'sh', '-c', 'echo $0 $WHOSE', 'given', { WHOSE: 'new' })`,
  execlpe: `execlpe('sh', 'sh', '-c', 'echo $0 $WHOSE', 'given', ['WHOSE=new'])`,
  fexecve: `fexecve(fs.openSync('/bin/sh'), ['sh', '-c', 'echo $0 $WHOSE', 'given'], { WHOSE: 'new' })`,
}

for (const [name, call] of Object.entries(family)) {
  t.test(`${name} becomes the program, in the environment ${/new/.test(call) ? 'given' : 'there is'}`, async (t) => {
    const whose = /new/.test(call) ? 'new' : 'own'
    t.equal(await outputOf(call, `process.env.WHOSE = 'own'`), `given ${whose}\n`)
  })
} // exec-28

t.test('the program keeps the pid, and no exit handler runs', async (t) => {
  const stdout = await outputOf(
    `execvp('sh', ['sh', '-c', 'echo $$'])`,
    `process.on('exit', () => console.log('exit handler'))
    process.on('beforeExit', () => console.log('beforeExit handler'))
    fs.writeSync(1, process.pid + '\\n')`,
  )
  const [before, after, ...rest] = stdout.trim().split('\n')
  t.equal(before, after)
  t.same(rest, [])
}) // exec-03

t.test('the program sees the argv[0] given', async (t) => {
  const stdout = await outputOf(`execv('/bin/sh', ['another name', '-c', 'cat /proc/$$/cmdline'])`)
  t.equal(stdout.split('\0')[0], 'another name')
}) // exec-38

t.test('a program that can not be run is an error, and the process goes on', async (t) => {
  const directory = t.testdir({ file: 'text', 'no-interpreter': '#!/nonexistent/interpreter\n', script: 'echo\n' })
  const [file, interpreted, script] = ['file', 'no-interpreter', 'script'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  for (const path of [interpreted, script]) chmodSync(path, 0o755)
  symlinkSync('loop', join(directory, 'loop'))
  const expected = [
    ['/nonexistent/program', 'ENOENT'],
    ['', 'ENOENT'],
    [file, 'EACCES'],
    [directory, 'EACCES'],
    [join(file, 'below'), 'ENOTDIR'],
    [join(directory, 'loop'), 'ELOOP'],
    [interpreted, 'ENOENT'],
    [script, 'ENOEXEC'],
    [`/${'n'.repeat(256)}`, 'ENAMETOOLONG'],
    ['/a'.repeat(2048), 'ENAMETOOLONG'],
  ] as const
  for (const [path, code] of expected) {
    t.throws(() => execv(path, ['x']), failure(code, path))
    t.throws(() => execve(path, ['x'], {}), failure(code, path))
    t.throws(() => execl(path, 'x'), failure(code, path))
    t.throws(() => execle(path, 'x', {}), failure(code, path))
  }
  t.throws(() => execv('/x', ['x']), { errno: -2, message: "ENOENT: no such file or directory, execve '/x'" })
}) // exec-13, exec-14, exec-15, exec-16, exec-39

// These kernels let a running program be written to.
const writable = /^6\.(11|12\.[01](\D|$))/.test(release()) && `Linux ${release()} has no ETXTBSY`

t.test('a program that is open for writing is ETXTBSY', { skip: writable }, async (t) => {
  const program = join(t.testdir({}), 'program')
  copyFileSync('/bin/true', program)
  chmodSync(program, 0o755)
  const fd = openSync(program, 'r+')
  t.teardown(() => closeSync(fd))
  t.throws(() => execv(program, ['program']), failure('ETXTBSY', program))
}) // exec-18

t.test('more arguments than the system takes are E2BIG', async (t) => {
  const words = Array.from({ length: 100 }, () => 'x'.repeat(100_000))
  t.throws(() => execv('/bin/true', ['true', ...words]), failure('E2BIG', '/bin/true'))
}) // exec-36

t.test('10,000 arguments arrive', async (t) => {
  const stdout = await outputOf(
    `execvp('printf', ['printf', '%s\\n', ...Array.from({ length: 10_000 }, (_, i) => 'word ' + i)])`,
  )
  t.equal(stdout, Array.from({ length: 10_000 }, (_, index) => `word ${index}\n`).join(''))
}) // exec-36

t.test('bytes arrive unchanged in arguments, environment and path', async (t) => {
  const bytes = Buffer.from([0x66, 0xff, 0xfe, 0x80, 0xc3, 0x28])
  const path = Buffer.concat([Buffer.from(`${t.testdir({})}/`), bytes])
  copyFileSync('/usr/bin/env', path)
  chmodSync(path, 0o755)
  const source = `
    const bytes = (hex) => Buffer.from(hex, 'hex')
    const [path, value] = process.argv.slice(1).map(bytes)
    const env = [Buffer.concat([Buffer.from('BYTES='), value]), 'TEXT=日本語']
    require('truefork').execve(path, [path, '-0', Buffer.concat([Buffer.from('ARG='), value])], env)`
  const { output } = capture([process.execPath, '-e', source, '--', path.toString('hex'), bytes.toString('hex')])
  t.same(
    output,
    Buffer.concat(['BYTES=', bytes, '\0TEXT=日本語\0ARG=', bytes, '\0'].map((part) => Buffer.from(part as string))),
  )
}) // exec-37

t.test('fexecve runs a program that has lost its name', async (t) => {
  const program = join(t.testdir({}), 'program')
  copyFileSync('/bin/echo', program)
  chmodSync(program, 0o755)
  const call = `const fd = fs.openSync('${program}'); fs.unlinkSync('${program}'); fexecve(fd, ['echo', 'ran'], {})`
  t.equal(await outputOf(call), 'ran\n')
}) // exec-28

t.test('fexecve runs a script whose descriptor stays open for its interpreter', async (t) => {
  const script = join(t.testdir({ script: '#!/bin/sh\necho ran "$1"\n' }), 'script')
  chmodSync(script, 0o755)
  const call = `fexecve(dup(fs.openSync('${script}')), ['script', 'well'], {})`
  t.equal(await outputOf(call), 'ran well\n')
}) // exec-28

t.test('fexecve tells what is wrong with the descriptor', async (t) => {
  const file = join(t.testdir({ file: 'text' }), 'file')
  const fd = openSync(file, 'r')
  t.teardown(() => closeSync(fd))
  const refused = (code: string) => ({ name: 'PosixError', code, syscall: 'fexecve' })
  t.throws(() => fexecve(77, ['x'], {}), refused('EBADF'))
  t.throws(() => fexecve(fd, ['x'], {}), refused('EACCES'))
  t.throws(() => fexecve(-1, ['x'], {}), refused('EINVAL'))
}) // exec-28, exec-30

t.test('a Worker can not exec, and nothing has happened', async (t) => {
  const worker = `
    const truefork = require('truefork')
    const calls = [
      () => truefork.execv('/bin/true', ['true']),
      () => truefork.execvp('true', ['true']),
      () => truefork.execlpe('true', 'true', {}),
      () => truefork.fexecve(0, ['true'], {}),
    ]
    const codes = calls.map((call) => { try { call() } catch ({ name, code }) { return name + ' ' + code } })
    require('node:worker_threads').parentPort.postMessage(codes)`
  const { stdout, stderr } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    new Worker(${JSON.stringify(worker)}, { eval: true }).on('message', (codes) => console.log(codes.join('\\n')))`)
  t.equal(stderr, '')
  t.equal(stdout, 'TypeError ERR_WORKER_UNSUPPORTED_OPERATION\n'.repeat(4))
}) // exec-06, exec-33

t.test('with Workers at work, waited for or busy, the program runs alone under the same pid', async (t) => {
  const stdout = await outputOf(
    `setTimeout(() => {
      fs.writeSync(1, process.pid + '\\n')
      execvp('sh', ['sh', '-c', 'echo $$; grep Threads /proc/$$/status'])
    }, 200)`,
    `const { Worker } = require('node:worker_threads')
    new Worker('for (;;);', { eval: true })
    new Worker('setInterval(() => {}, 5)', { eval: true }).on('exit', () => console.log('a Worker ended'))`,
  )
  const [before, after, ...rest] = stdout.trim().split('\n')
  t.equal(before, after)
  t.same(rest, ['Threads:\t1'])
}) // exec-31, exec-32

t.test('a forked child execs, and its parent reads what the program writes', async (t) => {
  const stdout = await outputOf(
    `
    const [readEnd, writeEnd] = pipe()
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      dup2(writeEnd, 1)
      for (const fd of [readEnd, writeEnd]) fs.closeSync(fd)
      execve('/bin/sh', ['sh', '-c', 'echo nix!!! && env'], { foo: 'bar', baz: 'quux' })
    }
    fs.closeSync(writeEnd)
    const { status } = waitpid(pid)
    console.log(fs.readFileSync(readEnd, 'utf8') + status)`,
    '',
    singleThreaded,
  )
  const lines = stdout.trim().split('\n')
  t.equal(lines[0], 'nix!!!')
  t.ok(lines.includes('foo=bar') && lines.includes('baz=quux'))
  t.equal(lines.at(-1), '0')
}) // exec-41

t.test('under --permission without --allow-child-process nothing is run', async (t) => {
  const stdout = withoutChildProcesses(`require('truefork').execvp('true', ['true'])`)
  t.match(stdout, /^ERR_(DLOPEN_DISABLED|ACCESS_DENIED)\n$/)
}) // exec-08
