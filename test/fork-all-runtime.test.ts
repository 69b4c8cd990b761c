// All that a Node does, done in a forked child and in its children.
import t from 'tap'
import { linesOf, withoutAllThreads } from './support/fork'

const skip = withoutAllThreads

// Each is a function that throws, or rejects, or never settles, where something doesn't work.
const abilities = `
  const { promisify } = require('node:util')
  const { once } = require('node:events')
  const http = require('node:http')

  const section = (id, bytes) => [id, ...size(bytes.length), ...bytes]
  const size = (count) => (count < 128 ? [count] : [(count & 127) | 128, count >> 7])
  // Five hundred functions, each of which returns its argument.
  const wasm = new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 1, 0x7f, 1, 0x7f]),
    ...section(3, [...size(500), ...Array(500).fill(0)]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [...size(500), ...Array(500).fill([4, 0, 0x20, 0, 0x0b]).flat()]),
  ])

  const abilities = {
    timers: () => require('node:timers/promises').setTimeout(2),
    immediates: () => new Promise(setImmediate),
    garbage() {
      let kept = []
      for (let i = 0; i < 60; i++) kept = [...kept.slice(-5), Array.from({ length: 20_000 }, (_, k) => ({ k, text: 'x' + k }))]
      gc()
      assert.ok(kept.every((list) => list.every(({ k, text }) => text === 'x' + k)))
    },
    compilers() {
      // New code each time, so that each process compiles and optimises for itself.
      const sum = new Function('count', 'let sum = 0; for (let i = 0; i < count; i++) sum = (sum + i * 31 + ' + process.pid + ') % 1000003; return sum')
      const slow = sum(1000)
      for (let i = 0; i < 300; i++) sum(10_000)
      assert.strictEqual(sum(1000), slow)
    },
    async wasm() {
      const { instance } = await WebAssembly.instantiate(wasm)
      assert.strictEqual(instance.exports.f(42), 42)
    },
    async files() {
      const directory = await fs.promises.mkdtemp(require('node:os').tmpdir() + '/truefork-')
      await fs.promises.writeFile(directory + '/file', 'text')
      assert.strictEqual(await fs.promises.readFile(directory + '/file', 'utf8'), 'text')
      await fs.promises.rm(directory, { recursive: true })
    },
    async watchers() {
      const directory = fs.mkdtempSync(require('node:os').tmpdir() + '/truefork-')
      const watcher = fs.watch(directory)
      const changed = once(watcher, 'change')
      fs.writeFileSync(directory + '/file', '')
      await changed
      watcher.close()
      fs.rmSync(directory, { recursive: true })
    },
    async crypto() {
      const crypto = require('node:crypto')
      const key = await promisify(crypto.pbkdf2)('password', 'salt', 5000, 16, 'sha512')
      assert.deepStrictEqual(key, crypto.pbkdf2Sync('password', 'salt', 5000, 16, 'sha512'))
      await promisify(crypto.generateKeyPair)('ec', { namedCurve: 'P-256' })
      await crypto.webcrypto.subtle.digest('SHA-256', Buffer.from('text'))
    },
    async zlib() {
      const zlib = require('node:zlib')
      const packed = await promisify(zlib.gzip)('text'.repeat(10_000))
      assert.strictEqual((await promisify(zlib.gunzip)(packed)).length, 40_000)
    },
    async dns() {
      assert.strictEqual((await require('node:dns').promises.lookup('127.0.0.1')).address, '127.0.0.1')
    },
    async http() {
      const server = http.createServer((request, response) => request.pipe(response)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = 'http://127.0.0.1:' + server.address().port
      const answer = await fetch(url, { method: 'POST', body: 'by fetch', headers: { connection: 'close' } })
      assert.strictEqual(await answer.text(), 'by fetch')
      const request = http.request(url, { method: 'POST', agent: false }).end('by http')
      const [response] = await once(request, 'response')
      let text = ''
      for await (const chunk of response) text += chunk
      assert.strictEqual(text, 'by http')
      await new Promise((resolve) => { server.close(resolve); server.closeAllConnections() })
    },
    async modules() {
      const { answer } = await import('data:text/javascript,export const answer = ' + process.pid)
      assert.strictEqual(answer, process.pid)
    },
    async programs() {
      const { exec, execFileSync, spawn, spawnSync } = require('node:child_process')
      assert.strictEqual((await promisify(exec)('echo text')).stdout, 'text\\n')
      assert.strictEqual(execFileSync('echo', ['text'], { encoding: 'utf8' }), 'text\\n')
      assert.strictEqual(spawnSync('sh', ['-c', 'exit 5']).status, 5)
      const cat = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
      cat.stdin.end('through')
      const ended = once(cat, 'close')
      assert.strictEqual(String(await once(cat.stdout, 'data')), 'through')
      assert.deepStrictEqual(await ended, [0, null])
    },
    async workers() {
      const { Worker } = require('node:worker_threads')
      const worker = new Worker('const { parentPort } = require("node:worker_threads"); parentPort.once("message", (text) => parentPort.postMessage(text))', { eval: true })
      const ended = once(worker, 'exit')
      worker.postMessage('text')
      assert.deepStrictEqual(await once(worker, 'message'), ['text'])
      assert.deepStrictEqual(await ended, [0])
    },
    async signals() {
      const handled = once(process, 'SIGUSR2')
      const lifeline = setInterval(() => {}, 1000)
      process.kill(process.pid, 'SIGUSR2')
      await handled
      clearInterval(lifeline)
    },
    async contexts() {
      assert.strictEqual(require('node:vm').runInNewContext('[1, 2].map((x) => x * 2).join()'), '2,4')
    },
    async streams() {
      const { pipeline } = require('node:stream/promises')
      const { createGzip, createGunzip } = require('node:zlib')
      let size = 0
      await pipeline([Buffer.alloc(300_000, 'x')], createGzip(), createGunzip(), async function (source) { for await (const chunk of source) size += chunk.length })
      assert.strictEqual(size, 300_000)
    },
  }
  async function useAll() {
    for (const [name, use] of Object.entries(abilities)) {
      try { await use() } catch (error) { throw new Error(name + ' in generation ' + generation, { cause: error }) }
    }
  }
  let generation = 0
`

t.test('a child that has seen nothing of its parent but the start does all that a Node does', { skip }, async (t) => {
  const lines = await linesOf(
    `${abilities}
    const pid = fork()
    if (pid === 0) useAll().then(() => console.log('all'))
    else console.log(ending(pid))
  `,
    { nodeOptions: ['--expose-gc'], timeoutMs: 60_000 },
  )
  t.same(lines, ['all', 0])
})

t.test('five generations do all that a Node does, each before it forks and after', { skip }, async (t) => {
  const lines = await linesOf(
    `${abilities}
    async function live() {
      await useAll()
      if (generation === 5) return
      const pid = fork()
      if (pid === 0) { generation++; return live() }
      await useAll()
      console.log(ending(pid))
    }
    live()
  `,
    { nodeOptions: ['--expose-gc'], timeoutMs: 60_000 },
  )
  t.same(lines, [0, 0, 0, 0, 0])
})

// Without what both processes would share, each taking from the other: files, connections, children.
t.test(
  'a child does all that a Node does though its parent is amidst all that a process does for itself',
  { skip },
  async (t) => {
    const lines = await linesOf(
      `${abilities}
    let busy = true
    const own = ['timers', 'immediates', 'garbage', 'compilers', 'wasm', 'crypto', 'zlib', 'workers', 'contexts', 'streams']
    const churn = async (name) => { while (busy) { await abilities[name](); await new Promise(setImmediate) } }
    const { Worker } = require('node:worker_threads')
    const worker = new Worker('setInterval(() => { globalThis.kept = Array.from({ length: 5000 }, (_, i) => ({ i })) }, 1)', { eval: true })
    worker.on('online', async () => {
      const churned = Promise.all(own.map(churn))
      for (let round = 0; round < 5; round++) {
        await new Promise((resolve) => setTimeout(resolve, 20 + round * 7))
        const pid = fork()
        if (pid === 0) {
          busy = false
          await churned // what was under way at the fork comes to its end here too
          await useAll()
          process.exit(0)
        }
        console.log(ending(pid))
      }
      busy = false
      await churned
      await worker.terminate()
      console.log('parent')
    })
  `,
      { nodeOptions: ['--expose-gc'], timeoutMs: 60_000 },
    )
    t.same(lines, [0, 0, 0, 0, 0, 'parent'])
  },
)
