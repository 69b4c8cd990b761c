// Nothing stays behind: no descriptor, thread, zombie or memory, however a call ends.
import { closeSync, openSync } from 'node:fs'
import t from 'tap'
import {
  compareFdTables,
  type FileAction,
  fdTable,
  O_RDONLY,
  pipe,
  posix_spawn,
  posix_spawnp,
  recvFds,
  SOCK_DGRAM,
  sendFds,
  socketpair,
  wait,
  waitpid,
} from 'truefork'
import { runWithDescriptors } from './support/limits'
import { isChildless, openDescriptors, signalSets } from './support/process-state'
import { runProgram } from './support/program'

const notLinux = process.platform !== 'linux' && 'only Linux has /proc'
t.setTimeout(240_000) // ten thousand processes on a busy machine

const failures: Record<string, () => number> = {
  'a missing program': () => posix_spawn('/nonexistent', ['x']),
  'a file that is none': () => posix_spawn('/etc/passwd', ['x']),
  'an argument that is refused': () => posix_spawnp('true', ['true', 1 as never]),
  'an action that fails': () => spawnWith({ action: 'dup2', fd: 999, newFd: 1 }),
  'an action that is refused': () => spawnWith({ action: 'close', fd: -1 }),
  'an open that fails': () => spawnWith({ action: 'open', fd: 0, path: '/nonexistent', flags: O_RDONLY }),
  'an attribute that fails': () => posix_spawnp('true', ['true'], { setpgroup: 0x7fffffff }),
  'an attribute that is refused': () => posix_spawnp('true', ['true'], { setexec: true }),
  'a wait without a child': () => wait().pid,
}

function spawnWith(action: FileAction): number {
  return posix_spawnp('true', ['true'], { fileActions: [action] })
}

for (const [name, call] of Object.entries(failures)) {
  t.test(`${name} leaves everything as it was`, { skip: notLinux }, async (t) => {
    const [table, signals] = [fdTable(), signalSets()]
    for (let round = 0; round < 20; round++) t.throws(call)
    t.equal(compareFdTables(table, fdTable()).text, '')
    t.same(signalSets(), signals)
    t.ok(isChildless())
  })
} // wait-23

t.test('two thousand socketpairs and messages leave no descriptor', { skip: notLinux }, async (t) => {
  const [table, listed] = [fdTable(), openDescriptors()]
  const errors = new Set<string>()
  const fails = (call: () => unknown): void => {
    try {
      call()
      errors.add('none')
    } catch (error) {
      errors.add((error as NodeJS.ErrnoException).code ?? '')
    }
  }
  for (let round = 0; round < 2000; round++) {
    const [one, other] = socketpair()
    const [near, far] = socketpair(SOCK_DGRAM)
    const ends = pipe()
    sendFds(one, [...ends, other], 'data')
    sendFds(near, ends, 'too long')
    fails(() => recvFds(far, 3))
    fails(() => sendFds(one, [0, -1]))
    fails(() => sendFds(one, Array(254).fill(0)))
    const { fds, data } = recvFds(other)
    if (fds.length !== 3 || data.toString() !== 'data') throw new Error(`${fds} ${data}`)
    sendFds(one, fds) // never received: the kernel closes it with its socket
    for (const fd of [one, other, near, far, ...ends, ...fds]) closeSync(fd)
  }
  t.same([...errors].sort(), ['EBADF', 'EMSGSIZE', 'ERR_OUT_OF_RANGE'])
  t.equal(compareFdTables(table, fdTable()).text, '')
  t.same(openDescriptors(), listed)
})

t.test('ten thousand programs leave nothing behind', { skip: notLinux }, async (t) => {
  const { stdout, stderr } = await runProgram(
    `const { readdirSync, readFileSync } = require('node:fs')
    const { posix_spawn, wait, waitpid } = require('truefork')
    const options = { fileActions: [{ action: 'open', fd: 0, path: '/dev/null', flags: 0 }], setsigmask: [], env: {} }
    function run(count) {
      for (let i = 0; i < count; i++) {
        const pid = posix_spawn('/bin/true', ['true', 'argument'], options)
        const reaped = waitpid(pid)
        if (reaped.pid !== pid || reaped.status !== 0) throw new Error(JSON.stringify(reaped))
        if (i % 100 === 0) try { posix_spawn('/nonexistent', ['x'], options) } catch {}
      }
    }
    function look() {
      gc()
      return {
        descriptors: readdirSync('/proc/self/fd').length,
        threads: readdirSync('/proc/self/task').length,
        children: readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8'),
        kilobytes: Number(/VmRSS:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]),
      }
    }
    run(2000) // caches fill, the heap finds its size
    const looks = [look()]
    for (let i = 0; i < 3; i++) {
      run(4000)
      looks.push(look())
    }
    console.log(JSON.stringify(looks))`,
    { nodeOptions: ['--expose-gc'], timeoutMs: 200_000 },
  )
  t.equal(stderr, '')
  const looks = JSON.parse(stdout)
  const [before, after] = [looks[0], looks.at(-1)]
  for (const name of ['descriptors', 'threads', 'children']) t.equal(after[name], before[name])
  t.equal(after.children, '')
  // The smallest thing that a call could leave, an argv, is some 200 bytes: 800 kilobytes in each stretch of four
  // thousand. V8 takes and returns a megabyte now and then, but not in every one.
  const grown = [1, 2, 3].map((i) => looks[i].kilobytes - looks[i - 1].kilobytes)
  t.ok(Math.min(...grown) < 800, `grown by ${grown.join(', ')} kilobytes`)
})

// Fills the table, then runs `calls`. What they tell is printed only at the end: a console may need a descriptor.
const full = (calls: string) => `
  const fs = require('node:fs')
  const { describeStatus, posix_spawn, posix_spawnp, wait, waitpid } = require('truefork')
  const said = []
  const attempt = (call) => {
    try { said.push(call()) } catch ({ code, syscall, path = '' }) { said.push([code, syscall, path].join(' ').trim()) }
  }
  const fds = []
  let refusal
  try { for (;;) fds.push(fs.openSync('/dev/null')) } catch ({ code }) { refusal = code }
  said.push(refusal)
  ${calls}
  for (const fd of fds) fs.closeSync(fd)
  console.log(said.join('\\n'))`

t.test('under a full descriptor table programs run, and are waited for', async (t) => {
  const { stdout, stderr } = await runWithDescriptors(
    64,
    full(`
      attempt(() => waitpid(posix_spawn('/bin/sh', ['sh', '-c', 'exit 3'])).status >> 8)
      attempt(() => { posix_spawnp('sh', ['sh', '-c', 'exit 4']); return wait().status >> 8 })
      const fileActions = [{ action: 'open', fd: 0, path: '/dev/null', flags: 0 }, { action: 'dup2', fd: 0, newFd: 63 }]
      attempt(() => waitpid(posix_spawnp('sh', ['sh', '-c', 'exit 5'], { fileActions })).status >> 8)
      attempt(wait)`),
  )
  t.equal(stderr, '')
  t.equal(stdout, 'EMFILE\n3\n4\n5\nECHILD wait\n')
})

t.test('under a full descriptor table a failure is told as ever', async (t) => {
  const { stdout, stderr } = await runWithDescriptors(
    64,
    full(`
      attempt(() => posix_spawn('/nonexistent', ['x']))
      attempt(() => posix_spawnp('no-such-program', ['x']))
      const spawnWith = (action) => posix_spawnp('true', ['true'], { fileActions: [action] })
      attempt(() => spawnWith({ action: 'chdir', path: '/nonexistent' }))
      attempt(() => spawnWith({ action: 'open', fd: 0, path: '/nonexistent', flags: 0 }))
      attempt(() => require('truefork').execv('/nonexistent', ['x']))
      attempt(() => require('truefork').pipe())
      attempt(() => require('truefork').dup(0))
      attempt(wait)`),
  )
  t.equal(stderr, '')
  t.equal(
    stdout,
    `${[
      'EMFILE',
      'ENOENT posix_spawn /nonexistent',
      'ENOENT posix_spawn no-such-program',
      'ENOENT chdir /nonexistent',
      'ENOENT open /nonexistent',
      'ENOENT execve /nonexistent',
      'EMFILE pipe',
      'EMFILE dup',
      'ECHILD wait',
    ].join('\n')}\n`,
  )
})

t.test('what a spawn sets for its child is never set for the caller', { skip: notLinux }, async (t) => {
  const before = [process.cwd(), process.umask(), signalSets(), openDescriptors()]
  const fd = openSync('/', 'r')
  const fileActions: FileAction[] = [
    { action: 'fchdir', fd },
    { action: 'close', fd: 2 },
    { action: 'closefrom', fd: 3 },
  ]
  const pid = posix_spawnp('true', ['true'], { fileActions, setsid: true, setsigmask: [1, 2, 15], setsigdef: [] })
  closeSync(fd)
  t.equal(waitpid(pid).status, 0)
  t.same([process.cwd(), process.umask(), signalSets(), openDescriptors()], before)
})
