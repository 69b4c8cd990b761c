// A forked Process: it runs its target, and nothing of what its parent was at.
import { join } from 'node:path'
import t from 'tap'
import { withoutAllThreads } from '../support/fork'
import { runNode, runProgram } from '../support/program'
import { placeNames } from './support/busy-parent'

t.setTimeout(300_000)

const skip = withoutAllThreads

for (const place of placeNames) {
  t.test(`started from ${place}, a child runs nothing of a busy parent's`, { skip }, async (t) => {
    const program = join(__dirname, 'support', 'busy-parent.js')
    const { stdout, stderr } = await runNode([program, place], { timeoutMs: 60_000 })
    const lines = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    t.same(lines[0], { target: [true, 'served', 'echoed', [], 0] }, `what the child can do by itself\n${stderr}`)
    const { codes, ofChildren, kinds, hasPath } = lines[1]
    t.same(codes, [7, 1, 5], 'exit codes')
    t.same(ofChildren, [], 'nothing of the parent happened in a child')
    t.ok(kinds > 25, `${kinds} kinds of things happened in the parent`)
    t.ok(hasPath, "a server's path is still there")
    t.match(stderr, /^Error: thrown in a child$/m)
  })
}

const modules: Readonly<Record<string, string>> = {
  'the top of a CommonJS module': '',
  'an ES module': 'await null',
  'an ES module after an import': "await import('node:zlib')",
}

for (const [place, before] of Object.entries(modules)) {
  t.test(`started from ${place}, nothing below it goes on in the child`, { skip }, async (t) => {
    const isModule = before !== ''
    const source = `
      ${isModule ? "import { writeSync } from 'node:fs'; import { Process } from 'truefork/multiprocessing'" : "const { writeSync } = require('node:fs'); const { Process } = require('truefork/multiprocessing')"}
      const main = process.pid
      const note = (what) => writeSync(1, (process.pid === main ? 'parent ' : 'child ') + what + '\\n')
      process.on('exit', () => note('exit'))
      queueMicrotask(() => note('microtask'))
      ${before}
      Promise.resolve().then(() => note('promise'))
      process.nextTick(() => note('tick'))
      const secret = { kept: 'in memory' }
      const child = new Process({ target: () => note(secret.kept) })
      try {
        child.start()
        secret.kept = 'changed'
      } catch {
        note('catch')
      } finally {
        note('finally')
      }
      note('below')
      child.join().then(() => note(child.exitCode))
    `
    const { stdout, stderr } = await runProgram(source, isModule ? { nodeOptions: ['--input-type=module'] } : {})
    const lines = stdout.split('\n').filter(Boolean)
    t.same(
      lines.filter((line) => line.startsWith('child')),
      ['child in memory'],
      stderr,
    )
    const ofParent = ['finally', 'below', 'tick', 'promise', 'microtask', '0', 'exit'].map((what) => `parent ${what}`)
    t.same(lines.filter((line) => line.startsWith('parent')).sort(), ofParent.sort())
  })
}

t.test('a child whose copies of Workers come to their end starts a Process as any other', { skip }, async (t) => {
  const source = `
    const { once } = require('node:events')
    const { stat } = require('node:fs')
    const { Worker } = require('node:worker_threads')
    const { Process } = require('truefork/multiprocessing')
    const startAndJoin = async (target) => {
      const child = new Process({ target })
      child.start()
      await child.join()
      return child.exitCode
    }
    async function main() {
      for (let each = 0; each < 3; ++each) await once(new Worker('setInterval(() => {}, 1000)', { eval: true }), 'online')
      const codes = []
      for (let each = 0; each < 10; ++each) {
        codes.push(await startAndJoin(async () => {
          await new Promise((resolve) => stat('/', resolve))
          process.exitCode = await startAndJoin(() => process.exit(7))
        }))
      }
      console.log(JSON.stringify(codes))
      process.exit()
    }
    main()
  `
  const { stdout, stderr } = await runProgram(source)
  t.same(JSON.parse(stdout), new Array(10).fill(7), stderr)
})

t.test('a child fetches by itself after its parent has fetched', { skip }, async (t) => {
  const source = `
    const { once } = require('node:events')
    const { createServer } = require('node:http')
    const { Process } = require('truefork/multiprocessing')
    const fetchOwn = async (words) => {
      const server = createServer((request, response) => response.end(words)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      console.log(await (await fetch('http://127.0.0.1:' + server.address().port)).text())
      server.close()
      server.closeAllConnections()
    }
    async function main() {
      await fetchOwn('by the parent')
      const child = new Process({ target: () => fetchOwn('by the child') })
      child.start()
      await child.join()
      await fetchOwn('by the parent again')
      console.log(child.exitCode)
    }
    main()
  `
  const { stdout, stderr } = await runProgram(source)
  t.equal(stdout, 'by the parent\nby the child\nby the parent again\n0\n', stderr)
})

t.test(
  "WebAssembly that V8's threads compile at the start comes to its end in the parent alone",
  { skip },
  async (t) => {
    const source = `
    const { writeSync } = require('node:fs')
    const { Process } = require('truefork/multiprocessing')
    const leb = (number) => (number < 128 ? [number] : [(number & 127) | 128, ...leb(number >>> 7)])
    const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes]
    const count = 20_000
    const functions = [...leb(count), ...new Array(count).fill(0)]
    const code = [...leb(count), ...new Array(count).fill([5, 0, 65, 0, 26, 11]).flat()] // each: i32.const 0, drop
    const header = [0, 97, 115, 109, 1, 0, 0, 0]
    const module = new Uint8Array([...header, ...section(1, [1, 96, 0, 0]), ...section(3, functions), ...section(10, code)])
    async function main() {
      for (let each = 0; each < 5; ++each) {
        const compiled = WebAssembly.compile(module).then(() => writeSync(1, process.pid + ' compiled\\n'))
        const child = new Process({ target: () => new Promise((resolve) => setTimeout(resolve, 100)) })
        child.start()
        await compiled
        await child.join()
      }
      console.log(process.pid)
    }
    main()
  `
    const { stdout, stderr } = await runProgram(source)
    const lines = stdout.trimEnd().split('\n')
    t.same(lines, [...new Array(5).fill(`${lines.at(-1)} compiled`), lines.at(-1)], stderr)
  },
)
