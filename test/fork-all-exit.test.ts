// How a child with all threads ends: as every Node does, by Node's own code.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { allWaysOut, marks, waysToEnd } from './support/endings'
import { runForking, withoutAllThreads } from './support/fork'
import { root, runNode, runProgram } from './support/program'

const skip = withoutAllThreads

/** Calls next() once two Workers are at work, which keep no process alive. */
const withWorkers = `
  const { Worker } = require('node:worker_threads')
  let online = 0
  for (let i = 0; i < 2; i++) {
    const worker = new Worker('setInterval(() => { globalThis.garbage = new Array(1000).fill({}) }, 1)', { eval: true })
    worker.on('online', () => { worker.unref(); if (++online === 2) next() })
  }
`

const forking = (source: string): string => `
  const pid = fork()
  if (pid !== 0) {
    const end = ending(pid)
    if (typeof end === 'number') _exit(end)
    process.kill(process.pid, end)
  }
  ${source}`

for (const [way, source] of Object.entries(waysToEnd)) {
  t.test(
    `a child with all threads ends by ${way} as every Node does, and with two Workers at work`,
    { skip },
    async (t) => {
      const alone = await runProgram(marks + source)
      const forked = await runForking(forking(marks + source))
      t.equal(forked.stdout, alone.stdout)
      t.same([forked.code, forked.signal], [alone.code, alone.signal])
      const message = /^.*(boom|again|late|no)$/m.exec(alone.stderr)?.[0]
      if (message !== undefined) t.match(forked.stderr, message.replace('Uncaught ', ''))
      const withTheirs = await runForking(`${withWorkers} function next() { ${forking(marks + source)} }`)
      t.equal(withTheirs.stdout, alone.stdout)
      t.same([withTheirs.code, withTheirs.signal], [alone.code, alone.signal])
    },
  )
}

t.test('exit handlers of before the fork run once in each process', { skip }, async (t) => {
  const { stdout } = await runForking(`
    process.on('exit', (code) => console.log('before', code))
    const pid = fork()
    process.on('exit', (code) => console.log(pid === 0 ? 'child' : 'parent', code))
    if (pid === 0) process.exit(3)
    assert.strictEqual(ending(pid), 3)
  `)
  t.equal(stdout, 'before 3\nchild 3\nbefore 0\nparent 0\n')
})

t.test('an unsettled top-level await ends a child with 13, and a settled one with 0', { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'program.mjs')
  writeFileSync(
    file,
    `import { describeStatus, fork, waitpid } from '${pathToFileURL(join(root, 'dist/index.mjs'))}'
    for (const waited of [new Promise(() => {}), new Promise((resolve) => setTimeout(resolve, 1))]) {
      const pid = fork()
      if (pid === 0) { await waited; console.log('settled'); break }
      console.log(describeStatus(waitpid(pid).status).code)
    }`,
  )
  const { stdout, code } = await runNode([file])
  t.equal(stdout, '13\nsettled\n0\n')
  t.equal(code, 0)
})

t.test('parent and child both end normally under an allocator that fills what it frees', { skip }, async (t) => {
  const { stdout, stderr, code } = await runForking(
    `
    const kept = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(1000, i))
    setTimeout(() => {
      const pid = fork()
      if (pid !== 0) console.log('child', ending(pid))
      console.log(kept.every((buffer, i) => buffer[999] === i % 256))
    }, 1)
  `,
    { env: { MALLOC_CHECK_: '3', MALLOC_PERTURB_: '165' } },
  )
  t.same([stdout, stderr, code], ['true\nchild 0\ntrue\n', '', 0])
})

t.test('each way out is taken twenty times out of twenty, under load', { skip }, async (t) => {
  const { stdout } = await runForking(
    `
    // Timers, promises, garbage, Workers and the thread pool are at work in the parent at each fork.
    let garbage
    const loads = [
      setInterval(() => { garbage = Array.from({ length: 5000 }, (_, i) => ({ i })) }, 1),
      setInterval(async () => { for (let i = 0; i < 50; i++) await i }, 1),
      setInterval(() => fs.stat('/', () => {}), 1),
    ]
    const options = {}
    ${allWaysOut}
    ${withWorkers}
  `,
    { timeoutMs: 60_000 },
  )
  t.same(JSON.parse(stdout), { 'as expected': 140 })
})
