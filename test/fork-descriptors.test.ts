import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { linesOf, singleThreaded } from './support/fork'
import { root, runNode } from './support/program'

const withFile = `
  const directory = fs.mkdtempSync(require('node:os').tmpdir() + '/truefork-')
  process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }))
  const file = directory + '/file'
`

t.test('children share the offset of an inherited file with their parent', async (t) => {
  const lines = await linesOf(`${withFile}
    fs.writeFileSync(file, 'abcdefghij')
    const fd = fs.openSync(file)
    const byte = Buffer.alloc(1)
    for (let i = 0; i < 5; i++) {
      const pid = fork(caller)
      if (pid === 0) { fs.readSync(fd, byte); _exit(byte[0]) }
      process.stdout.write(String.fromCharCode(ending(pid)))
    }
    fs.readSync(fd, byte)
    console.log(byte.toString())
  `)
  t.same(lines, ['abcdef']) // fork.fd-01
})

t.test('what a child closes stays open in its parent', async (t) => {
  const lines = await linesOf(`${withFile}
    fs.writeFileSync(file, 'text')
    const fd = fs.openSync(file)
    const pid = fork(caller)
    if (pid === 0) {
      fs.closeSync(fd)
      try { fs.fstatSync(fd); _exit(1) } catch ({ code }) { _exit(code === 'EBADF' ? 0 : 2) }
    }
    console.log(ending(pid))
    console.log(fs.readFileSync(fd, 'utf8'))
  `)
  t.same(lines, [0, 'text']) // fork.fd-02
})

t.test('a process whose descriptor table is full forks, and the child may close and open', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'program.js')
  writeFileSync(
    file,
    `const fs = require('node:fs')
    const { _exit, fork, waitpid } = require(${JSON.stringify(root)})
    const taken = []
    const fill = () => { try { for (;;) taken.push(fs.openSync('/dev/null')) } catch ({ code }) { return code } }
    for (const spare of [0, 1, 2]) {
      fill()
      for (let i = 0; i < spare; i++) fs.closeSync(taken.pop())
      const pid = fork({ threads: 'caller' })
      if (pid === 0) {
        const count = taken.length
        for (const fd of taken.splice(0)) fs.closeSync(fd)
        _exit(fill() === 'EMFILE' && taken.length >= count ? 0 : 1)
      }
      console.log(spare, waitpid(pid).status)
    }`,
  )
  const { stdout, stderr } = await runNode([
    '-e',
    `require(${JSON.stringify(root)}).execvp('sh', ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, '--single-threaded', '--v8-pool-size=0', ${JSON.stringify(file)}])`,
  ])
  t.equal(stdout, '0 0\n1 0\n2 0\n', stderr) // fork.fd-03
})

t.test('an open directory goes on in both', async (t) => {
  const lines = await linesOf(`${withFile}
    for (const name of ['a', 'b', 'c']) fs.writeFileSync(directory + '/' + name, '')
    const listing = fs.opendirSync(directory)
    const first = listing.readSync().name
    const rest = () => { const names = [first]; for (let entry; (entry = listing.readSync()) !== null;) names.push(entry.name); return names.sort().join('') }
    const pid = fork(caller)
    if (pid === 0) _exit(rest() === 'abc' ? 0 : 1)
    console.log(ending(pid), rest())
  `)
  t.same(lines, ['0 abc']) // fork.fd-05
})

t.test("a descriptor without FD_CLOEXEC reaches the program, and one with it doesn't", async (t) => {
  const lines = await linesOf(`
    const { execv, pipe } = require('truefork')
    const { FD_CLOEXEC, F_SETFD, fcntl } = require('truefork')
    for (const flag of [0, FD_CLOEXEC]) {
      const [readEnd, writeEnd] = pipe()
      fcntl(writeEnd, F_SETFD, flag)
      const pid = fork(caller)
      if (pid === 0) { fs.closeSync(2); execv('/bin/sh', ['sh', '-c', 'echo hello >/dev/fd/' + writeEnd]) }
      const end = ending(pid)
      fs.closeSync(writeEnd)
      console.log(end === 0 ? 'written' : 'refused', fs.readFileSync(readEnd, 'utf8').trim())
    }
  `)
  t.same(lines, ['written hello', 'refused ']) // fork.fd-07
})

t.test("a child that has closed Node's own descriptors fails to exec cleanly", async (t) => {
  const lines = await linesOf(`
    const { execvp } = require('truefork')
    const pid = fork(caller)
    if (pid === 0) {
      for (let fd = 3; fd <= 6; fd++) try { fs.closeSync(fd) } catch {}
      try { execvp('truefork-is-no-such-program', ['x']) } catch ({ code }) { _exit(code === 'ENOENT' ? 0 : 1) }
    }
    console.log(ending(pid))
  `)
  t.same(lines, [0]) // fork.fd-09
})

t.test("the programs of two children hold none of each other's CLOEXEC pipes", async (t) => {
  const lines = await linesOf(`
    const { O_CLOEXEC, execv, pipe2 } = require('truefork')
    const children = [0, 1].map(() => {
      const [readEnd, writeEnd] = pipe2(O_CLOEXEC)
      const [output, itsOutput] = pipe2(O_CLOEXEC)
      const pid = fork(caller)
      if (pid === 0) {
        const { dup2 } = require('truefork')
        dup2(readEnd, 0)
        dup2(itsOutput, 1)
        execv('/bin/sh', ['sh', '-c', 'for fd in /proc/$$/fd/*; do readlink $fd; done; cat'])
      }
      fs.closeSync(readEnd)
      fs.closeSync(itsOutput)
      return { pid, writeEnd, output, input: fs.readlinkSync('/proc/self/fd/' + writeEnd), name: fs.readlinkSync('/proc/self/fd/' + output) }
    })
    // Each ends at the end of its input, which nobody but this process holds open.
    for (const { pid, writeEnd, output, input, name } of children) {
      fs.closeSync(writeEnd)
      const held = fs.readFileSync(output, 'utf8')
      const others = children.filter((child) => child.pid !== pid).flatMap((child) => [child.input, child.name])
      console.log(ending(pid), held.includes(input), others.some((other) => held.includes(other)))
    }
  `)
  t.same(lines, ['0 true false', '0 true false']) // fork.fd-12
})

t.test("a program that a child execs holds no pipe of its parent's child_process", async (t) => {
  const lines = await linesOf(`
    const { execvp } = require('truefork')
    const cat = require('node:child_process').spawn('cat', { stdio: ['pipe', 'ignore', 'inherit'] })
    const pid = fork(caller)
    if (pid === 0) execvp('sleep', ['sleep', '600'])
    cat.on('exit', (code) => { // it would never hear the end of its input from a pipe that sleep held
      console.log('cat', code)
      process.kill(pid)
      console.log(ending(pid))
    })
    // Once the exec has happened.
    const look = setInterval(() => {
      if (fs.readFileSync('/proc/' + pid + '/comm', 'utf8') !== 'sleep\\n') return
      clearInterval(look)
      cat.stdin.end()
    }, 2)
  `)
  t.same(lines, ['cat 0', 'SIGTERM']) // fork.hazard-12
})

t.test('writes and reads on pipes are whole though signals arrive all the time', async (t) => {
  const lines = await linesOf(
    `
    const { pipe } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    process.on('SIGUSR2', () => {})
    const parent = process.pid
    const writer = fork({ threads: 'caller' })
    if (writer === 0) {
      for (let i = 0; i < 200; i++) {
        process.kill(parent, 'SIGUSR2')
        process.kill(process.pid, 'SIGUSR2')
        const block = Buffer.alloc(10_000, i)
        for (let done = 0; done < block.length;) done += fs.writeSync(writeEnd, block, done)
      }
      process.exit(0)
    }
    fs.closeSync(writeEnd)
    const data = fs.readFileSync(readEnd)
    console.log(data.length, data.every((byte, i) => byte === Math.floor(i / 10_000)))
    console.log(ending(writer))
  `,
    singleThreaded,
  )
  t.same(lines, ['2000000 true', 0]) // fork.runtime-27
})
