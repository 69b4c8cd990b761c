// The p forms: where they look for a program, and what they do with a file that is none.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { execlp, execlpe, execvp, execvpe } from 'truefork'
import { runProgram } from './support/program'

const failure = (code: string, path: string) => ({ name: 'PosixError', code, syscall: 'execve', path })

/** What comes of a call in a process whose PATH is this one. */
async function outputUnder(PATH: string | undefined, call: string): Promise<string> {
  const source = `Object.assign(globalThis, require('truefork'))
    try { ${call} } catch ({ code, syscall, path }) { console.log([code, syscall, path].join(' ')) }`
  const { stdout, stderr } = await runProgram(source, { env: { PATH } })
  if (stderr !== '') throw new Error(stderr)
  return stdout
}

function scriptIn(directory: string, name: string, text: string): string {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, 0o755)
  return path
}

t.test('a bare name is found through the PATH of process.env, as it is now', async (t) => {
  const directory = t.testdir({})
  scriptIn(directory, 'truefork-program', '#!/bin/sh\necho found\n')
  t.equal(await outputUnder(directory, `execvp('truefork-program', ['x'])`), 'found\n')
  const change = `process.env.PATH = ${JSON.stringify(directory)}; execlp('truefork-program', 'x')`
  t.equal(await outputUnder('/nonexistent', change), 'found\n')
}) // exec-21

t.test('an empty PATH has nothing but the working directory', async (t) => {
  t.equal(await outputUnder('', `execvp('truefork-program', ['x'])`), 'ENOENT execve truefork-program\n')
}) // exec-22

t.test('without PATH the default one is searched', async (t) => {
  t.equal(await outputUnder(undefined, `execvp('echo', ['echo', 'found'])`), 'found\n')
  t.equal(await outputUnder(undefined, `execvp('truefork-program', ['x'])`), 'ENOENT execve truefork-program\n')
}) // exec-26

t.test('the PATH in the environment given is not searched', async (t) => {
  const directory = t.testdir({})
  scriptIn(directory, 'truefork-program', '#!/bin/sh\necho "found with $PATH"\n')
  const given = `{ PATH: ${JSON.stringify(directory)} }`
  t.equal(await outputUnder('/bin', `execvpe('truefork-program', ['x'], ${given})`), 'ENOENT execve truefork-program\n')
  t.equal(await outputUnder(directory, `execlpe('truefork-program', 'x', { PATH: '/other' })`), 'found with /other\n')
}) // exec-27

t.test('execvpe passes one variable on, and only that', async (t) => {
  t.equal(await outputUnder('/usr/bin:/bin', `execvpe('env', ['env'], { ONE: '1' })`), 'ONE=1\n')
}) // exec-27

t.test('the search goes on past what may not be run, and then says EACCES', async (t) => {
  const directory = t.testdir({ first: { 'truefork-program': 'no program' } })
  const path = `${join(directory, 'first')}:${join(directory, 'second')}:/nonexistent`
  t.equal(await outputUnder(path, `execvp('truefork-program', ['x'])`), 'EACCES execve truefork-program\n')
  scriptIn(join(directory, 'second'), 'truefork-program', '#!/bin/sh\necho second\n')
  t.equal(await outputUnder(path, `execvp('truefork-program', ['x'])`), 'second\n')
}) // exec-21

t.test('a name with a slash is not searched for', async (t) => {
  for (const call of [
    () => execvp('/nonexistent/sh', ['x']),
    () => execvpe('/nonexistent/sh', ['x'], {}),
    () => execlp('/nonexistent/sh', 'x'),
    () => execlpe('/nonexistent/sh', 'x', {}),
  ]) {
    t.throws(call, failure('ENOENT', '/nonexistent/sh'))
  }
  t.throws(() => execvp('./sh', ['sh']), failure('ENOENT', './sh'))
  t.throws(() => execvp('', ['x']), failure('ENOENT', ''))
}) // exec-39

t.test('a script without #! is run by sh, with its arguments in order', async (t) => {
  const directory = t.testdir({})
  const script = scriptIn(directory, 'truefork-script', 'echo foo $1 $2 $3\n')
  const expected = 'foo one two three\n'
  t.equal(await outputUnder(directory, `execvp('truefork-script', ['x', 'one', 'two', 'three'])`), expected)
  t.equal(await outputUnder(directory, `execlpe('truefork-script', 'x', 'one', 'two', 'three', {})`), expected)
  t.equal(await outputUnder('/bin', `execvp(${JSON.stringify(script)}, ['x', 'one', 'two', 'three'])`), expected)
}) // exec-24, exec-25
