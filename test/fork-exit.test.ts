import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { allWaysOut, marks, waysToEnd } from './support/endings'
import { runForking, singleThreaded } from './support/fork'
import { root, runNode, runProgram } from './support/program'

for (const [way, source] of Object.entries(waysToEnd)) {
  t.test(`a child ends by ${way} as every Node does`, async (t) => {
    const alone = await runProgram(marks + source, singleThreaded)
    const forked = await runForking(
      `
      const pid = fork(caller)
      if (pid !== 0) {
        const end = ending(pid)
        if (typeof end === 'number') _exit(end)
        process.kill(process.pid, end)
      }
      ${marks}${source}
    `,
      singleThreaded,
    )
    t.equal(forked.stdout, alone.stdout)
    t.same([forked.code, forked.signal], [alone.code, alone.signal]) // exit-04
    const message = /^.*(boom|again|late|no)$/m.exec(alone.stderr)?.[0]
    if (message !== undefined) t.match(forked.stderr, message.replace('Uncaught ', ''))
  })
}

t.test('_exit ends a child without handlers and with the low byte of its status', async (t) => {
  const { stdout } = await runForking(`
    for (const status of [0, 1, 13, 127, 255, 256, 511, -1]) {
      const pid = fork(caller)
      if (pid === 0) { process.on('exit', () => console.log('handler')); _exit(status) }
      console.log(status, waitpid(pid).status)
    }
  `)
  const expected = [0, 1, 13, 127, 255, 256, 511, -1].map((status) => `${status} ${(status & 0xff) << 8}\n`).join('')
  t.equal(stdout, expected) // exit-01
})

t.test('exit handlers of before the fork run once in each process', async (t) => {
  const { stdout } = await runForking(`
    process.on('exit', (code) => console.log('before', code))
    const pid = fork(caller)
    process.on('exit', (code) => console.log(pid === 0 ? 'child' : 'parent', code))
    if (pid === 0) process.exit(3)
    assert.strictEqual(ending(pid), 3)
  `)
  t.equal(stdout, 'before 3\nchild 3\nbefore 0\nparent 0\n') // exit-05
})

t.test('a grandchild ends by an empty loop, after its own handlers', async (t) => {
  const { stdout } = await runForking(`
    let generation = 0
    process.on('exit', () => console.log('exit', generation))
    for (; generation < 3; generation++) {
      const pid = fork(caller)
      if (pid !== 0) { process.exitCode = ending(pid); break }
      process.exitCode = 5
    }
  `)
  t.equal(stdout, 'exit 3\nexit 2\nexit 1\nexit 0\n')
})

// Since Node 22 only Node's own way out knows of an unsettled await, and a child without its threads can't take it.
const unsettledCode = Number.parseInt(process.versions.node, 10) < 22 ? 13 : 0

t.test('an unsettled top-level await ends a child as it can be known, and a settled one with 0', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'program.mjs')
  writeFileSync(
    file,
    `import { describeStatus, fork, waitpid } from '${pathToFileURL(join(root, 'dist/index.mjs'))}'
    for (const waited of [new Promise(() => {}), new Promise((resolve) => setTimeout(resolve, 1))]) {
      const pid = fork({ threads: 'caller', hazards: 'ignore' })
      if (pid === 0) { await waited; console.log('settled'); break }
      console.log(describeStatus(waitpid(pid).status).code)
    }`,
  )
  const { stdout, code } = await runNode([...(singleThreaded.nodeOptions ?? []), file])
  t.equal(stdout, `${unsettledCode}\nsettled\n0\n`)
  t.equal(code, 0)
})

t.test('what a child and its parent write comes once, in a pipe and in a file', async (t) => {
  // More than a pipe holds: process.exit() would drop the rest, in a plain Node as in a child.
  const source = `
    const out = process.argv[1] === 'file' ? fs.openSync(process.argv[2], 'w') : 1
    if (out !== 1) require('truefork').dup2(out, 1)
    process.stdout.write('before ')
    const pid = fork(caller)
    if (pid !== 0) waitpid(pid)
    process.stdout.write((pid === 0 ? 'c' : 'p').repeat(200_000) + '\\n')
  `
  const expected = `before ${'c'.repeat(200_000)}\n${'p'.repeat(200_000)}\n`
  t.ok((await runForking(source, { ...singleThreaded, args: ['pipe'] })).stdout === expected)
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'output')
  await runForking(source, { ...singleThreaded, args: ['file', file] })
  t.ok(readFileSync(file, 'utf8') === expected)
})

t.test('what a child has written to a file is there when it ends without closing it', async (t) => {
  const { stdout } = await runForking(`
    const file = require('node:path').join(fs.mkdtempSync(require('node:os').tmpdir() + '/truefork-'), 'file')
    const pid = fork(caller)
    if (pid === 0) { fs.writeSync(fs.openSync(file, 'w'), 'x'.repeat(100_000)); process.exit(0) }
    waitpid(pid)
    console.log(fs.readFileSync(file, 'utf8').length)
    fs.rmSync(require('node:path').dirname(file), { recursive: true })
  `)
  t.equal(stdout, '100000\n') // fork.fd-06
})

t.test('a child ends while a Worker, the inspector and the thread pool of its parent are at work', async (t) => {
  const { stdout, code } = await runForking(`
    const { Worker } = require('node:worker_threads')
    const worker = new Worker('setInterval(() => {}, 1)', { eval: true })
    require('node:inspector').open(0)
    worker.once('online', () => {
      for (const way of [() => process.exit(3), () => _exit(3), () => { throw new Error('boom') }]) {
        require('node:crypto').pbkdf2('a', 'b', 200_000, 64, 'sha512', () => {})
        const pid = fork(caller)
        if (pid === 0) { fs.writeSync(1, 'child '); return way() }
        fs.writeSync(1, ending(pid) + ' ')
      }
      process.exit(0)
    })
  `)
  t.same([stdout, code], ['child 3 child 3 child 1 ', 0]) // exit-02, fork.hazard-04, fork.hazard-09
})

t.test('each way out is taken twenty times out of twenty, under load', async (t) => {
  const { stdout } = await runForking(
    `
    // Timers, promises and garbage are under way in the parent at each fork.
    let garbage
    const loads = [
      setInterval(() => { garbage = Array.from({ length: 5000 }, (_, i) => ({ i })) }, 1),
      setInterval(async () => { for (let i = 0; i < 50; i++) await i }, 1),
    ]
    const options = { threads: 'caller' }
    ${allWaysOut}
    next()
  `,
    { ...singleThreaded, timeoutMs: 25_000 },
  )
  t.same(JSON.parse(stdout), { 'as expected': 140 })
})

t.test('parent and child both end normally under an allocator that fills what it frees', async (t) => {
  const { stdout, stderr, code } = await runForking(
    `
    const kept = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(1000, i))
    setTimeout(() => {
      const pid = fork({ threads: 'caller' })
      if (pid !== 0) console.log('child', ending(pid))
      console.log(kept.every((buffer, i) => buffer[999] === i % 256))
    }, 1)
  `,
    { ...singleThreaded, env: { MALLOC_CHECK_: '3', MALLOC_PERTURB_: '165' } },
  )
  t.same([stdout, stderr, code], ['true\nchild 0\ntrue\n', '', 0]) // fork.runtime-23
})
