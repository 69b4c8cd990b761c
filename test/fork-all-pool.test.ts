// The thread pool at a fork: no work is done twice, and none is lost.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { linesOf, runForking, withoutAllThreads } from './support/fork'

const skip = withoutAllThreads

function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

t.test('of thousands of writes under way at thirty forks each is done once', { skip }, async (t) => {
  const file = join(folder(t), 'lines')
  const lines = await linesOf(
    `
    const fd = fs.openSync(process.argv[1], 'a')
    let written = 0
    for (let turn = 0; turn < 30; turn++) {
      for (let i = 0; i < 50; i++) fs.write(fd, turn + ' ' + i + '\\n', () => { written++ })
      const pid = fork()
      if (pid === 0) _exit(0)
      waitpid(pid)
    }
    process.on('exit', () => console.log(written))
  `,
    { args: [file] },
  )
  t.same(lines, [1500])
  const expected = Array.from({ length: 1500 }, (_, i) => `${Math.floor(i / 50)} ${i % 50}`)
  t.same(readFileSync(file, 'utf8').trimEnd().split('\n').sort(), expected.sort())
})

t.test('the callbacks of requests that were under way run once in parent and child', { skip }, async (t) => {
  const lines = await linesOf(`
    const who = () => (pid === 0 ? 'child' : 'parent')
    let done = 0
    for (let i = 0; i < 20; i++) fs.stat('/', () => { done++ })
    const pid = fork()
    process.on('exit', () => {
      if (pid !== 0) waitpid(pid)
      console.log(who(), done)
    })
  `)
  t.same(lines, ['child 20', 'parent 20'])
})

t.test('names that wait to be looked up are looked up before the fork, not in the child', { skip }, async (t) => {
  const lines = await linesOf(`
    let done = 0
    const count = 5000
    for (let i = 0; i < count; i++) require('node:dns').lookup('localhost', () => { done++ })
    const pid = fork(caller) // it has no threads that could
    const check = () => {
      if (done < count) return void setTimeout(check, 1)
      if (pid !== 0) waitpid(pid)
      console.log(pid === 0 ? 'child' : 'parent', done)
      if (pid === 0) _exit(0)
    }
    check()
  `)
  t.same(lines, ['child 5000', 'parent 5000'])
})

// A pool thread waits for what never comes.
const blockedPool = `
  require('node:child_process').execFileSync('mkfifo', [process.argv[1]])
  // It opens at the other end's open; this is how the program comes to its end.
  const stuck = new Promise((resolve) => fs.open(process.argv[1], 'r', (error, fd) => resolve(fd)))
  const unblock = () => { fs.closeSync(fs.openSync(process.argv[1], 'w')) }
`

t.test('a pool that stays busy beyond drainMs is a hazard, and nothing is forked', { skip }, async (t) => {
  const lines = await linesOf(
    `${blockedPool}
    const start = Date.now()
    for (const drainMs of [0, 50]) {
      try { fork({ drainMs }) } catch ({ name, code, hazards, message }) {
        console.log(JSON.stringify([name, code, hazards.map(({ id, severity }) => [id, severity]), message.includes(drainMs + ' ms')]))
      }
    }
    console.log(Date.now() - start >= 50)
    try { wait() } catch ({ code }) { console.log(code) }
    // The other threads of the pool serve as before.
    fs.stat('/', (error, stats) => { console.log(stats.isDirectory()); unblock() })
    stuck.then((fd) => console.log(typeof fd))
  `,
    { args: [join(folder(t), 'fifo')] },
  )
  const refusal = ['ForkHazardError', 'ERR_FORK_HAZARD', [['inflight-requests', 'unsafe']], true]
  t.same(lines, [refusal, refusal, true, 'ECHILD', true, 'number'])
})

for (const options of ["{ accept: ['inflight-requests'] }", "{ hazards: 'ignore' }"]) {
  t.test(`a busy pool is no hindrance under ${options}`, { skip }, async (t) => {
    const { stdout, stderr } = await runForking(
      `${blockedPool}
      const pid = fork(${options})
      if (pid === 0) {
        // Three of the four threads are left to the child.
        fs.stat('/', (error, stats) => { console.log('child', stats.isDirectory()); _exit(3) })
      } else {
        console.log('parent', ending(pid))
        stuck.then((fd) => console.log('parent', typeof fd))
        unblock()
      }
    `,
      { args: [join(folder(t), 'fifo')] },
    )
    t.equal(stdout, 'child true\nparent 3\nparent number\n')
    t.equal(stderr, '')
  })
}

t.test('under warn the fork tells of the busy pool and goes on', { skip }, async (t) => {
  const lines = await linesOf(
    `${blockedPool}
    process.removeAllListeners('warning')
    process.on('warning', ({ name, code }) => { console.log(name, code); unblock() })
    const pid = fork({ hazards: 'warn' })
    if (pid === 0) _exit(4)
    console.log(ending(pid))
  `,
    { args: [join(folder(t), 'fifo')] },
  )
  t.same(lines, [4, 'ForkHazardWarning inflight-requests'])
})

t.test('a request that ends within drainMs is waited for', { skip }, async (t) => {
  const lines = await linesOf(`
    let done = false
    require('node:crypto').pbkdf2('a', 'b', 300_000, 64, 'sha512', () => { done = true })
    const pid = fork({ drainMs: 20_000 })
    if (pid === 0) setImmediate(function look() { if (!done) return setImmediate(look); process.exit(6) })
    else console.log(ending(pid))
  `)
  t.same(lines, [6])
})

t.test('a pool of one thread, of eight, and one that nobody has used come to rest', { skip }, async (t) => {
  for (const size of ['1', '8']) {
    for (const use of ['', `fs.stat('/', () => {});`]) {
      const lines = await linesOf(
        `${use}
        const pid = fork()
        if (pid === 0) fs.stat('/', () => _exit(5))
        else fs.stat('/', () => console.log(ending(pid)))
      `,
        { env: { UV_THREADPOOL_SIZE: size } },
      )
      t.same(lines, [5], `${size} ${use}`)
    }
  }
})
