import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { linesOf, singleThreaded } from './support/fork'
import { root, runNode } from './support/program'

// Each calls forks() once; the child returns through all of its callers and ends with the event loop.
const contexts: Record<string, string> = {
  'the top level': 'forks()',
  'a promise': 'Promise.resolve().then(forks)',
  'an async function after an await': '(async () => { await null; forks() })()',
  'a tick': 'process.nextTick(forks)',
  'an immediate': 'setImmediate(forks)',
  'a timer': 'setTimeout(forks, 1)',
  'a microtask': 'queueMicrotask(forks)',
  'a thread-pool callback': `fs.stat('/', forks)`,
  'an event listener': `new (require('node:events'))().on('event', forks).emit('event')`,
  'a generator': '[...(function* () { yield forks() })()]',
  'a getter in a class': 'new (class { get it() { return forks() } })().it',
  'a sort': 'let calls = 0; [2, 1].sort(() => { if (calls++ === 0) forks(); return 0 })',
  'a signal handler': `process.once('SIGUSR2', () => { clearInterval(waiting); forks() })
    const waiting = setInterval(() => {}, 1000)
    process.kill(process.pid, 'SIGUSR2')`, // fork.hazard-13
  'an http handler': `const http = require('node:http')
    const server = http.createServer((request, response) => { forks(); server.close(); response.end() })
    server.listen(0, '127.0.0.1', () => http.get({ port: server.address().port, agent: false }, (response) => response.resume()))`,
}

for (const [context, source] of Object.entries(contexts)) {
  t.test(`fork works in ${context}`, async (t) => {
    const lines = await linesOf(
      `
      const forks = () => {
        const pid = fork({ threads: 'caller' })
        if (pid !== 0) { console.log('child ended with', ending(pid)); return }
        setTimeout(() => process.exit(process.pid !== parent && process.ppid === parent ? 50 : 1), 1)
      }
      const parent = process.pid;
      ${source}
    `,
      singleThreaded,
    )
    t.same(lines, ['child ended with 50'])
  })
}

t.test('fork works at each of sixteen nested async frames', async (t) => {
  const lines = await linesOf(
    `
    async function nested(depth) {
      await null
      const pid = fork({ threads: 'caller' })
      if (pid === 0) { await new Promise(setImmediate); process.exit(50) }
      console.log(ending(pid))
      if (depth > 1) await nested(depth - 1)
    }
    nested(16)
  `,
    singleThreaded,
  )
  t.same(lines, Array(16).fill(50)) // fork.runtime-19
})

function modules(t: { teardown(undo: () => void): unknown }, files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return directory
}

t.test('fork works while modules are being required, and both can require more', async (t) => {
  const truefork = JSON.stringify(root)
  const directory = modules(t, {
    'main.js': `require('./a1.js'); console.log(process.pid === main ? 'parent' : 'child', Object.keys(require.cache).length)`,
    ...Object.fromEntries([1, 2, 3].map((depth) => [`a${depth}.js`, `require('./a${depth + 1}.js')`])),
    'a4.js': `globalThis.main = process.pid
      const { fork, waitpid } = require(${truefork})
      const pid = fork({ threads: 'caller' })
      if (pid !== 0) waitpid(pid)
      require('./later.js')`,
    'later.js': '',
  })
  const { stdout, stderr } = await runNode([...(singleThreaded.nodeOptions ?? []), join(directory, 'main.js')])
  const [child, parent] = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
  t.same([child?.[0], parent?.[0]], ['child', 'parent'], stderr)
  t.equal(child?.[1], parent?.[1]) // fork.runtime-21
})

t.test('fork works at the top level of an ES module, and both can import more', async (t) => {
  const directory = modules(t, {
    'main.mjs': `import { fork, waitpid } from '${pathToFileURL(join(root, 'dist/index.mjs'))}'
      const pid = fork({ threads: 'caller' })
      if (pid !== 0) waitpid(pid)
      const { who } = await import('./later.mjs')
      console.log(who(pid))`,
    'later.mjs': `export const who = (pid) => (pid === 0 ? 'child' : 'parent')`,
  })
  const { stdout, stderr } = await runNode([...(singleThreaded.nodeOptions ?? []), join(directory, 'main.mjs')])
  t.equal(stdout, 'child\nparent\n', stderr)
})
