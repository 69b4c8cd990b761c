// What is ordinary and busy forks without a word.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { runForking, withoutAllThreads } from '../support/fork'
import { folderOf } from '../support/hazards'

const skip = withoutAllThreads

// Forks by default; the child does what `inChild` says and ends. Notices are told, and nothing else.
const forking = `
  const { forkHazards } = require('truefork')
  const goes = (inChild) => {
    const { safe, hazards } = forkHazards()
    console.log(safe, hazards.filter(({ severity }) => severity !== 'notice').length)
    const pid = fork()
    if (pid === 0) inChild()
    else console.log(ending(pid))
  }
`
const well = { stdout: 'true 0\n5\n', stderr: '', code: 0 }

t.test('an idle server with 100 keep-alive connections', { skip }, async (t) => {
  const { stdout, stderr, code } = await runForking(`${forking}
    const http = require('node:http')
    const agent = new http.Agent({ keepAlive: true, maxSockets: 100, maxFreeSockets: 100 })
    const server = http.createServer((request, response) => response.end('here')).listen(0, async () => {
      const get = () => new Promise((resolve, reject) => {
        http.get({ port: server.address().port, agent }, (response) => response.resume().on('end', resolve)).on('error', reject)
      })
      await Promise.all(Array.from({ length: 100 }, get))
      await new Promise((resolve) => setTimeout(resolve, 20))
      assert.strictEqual(Object.values(agent.freeSockets).flat().length, 100)
      goes(() => _exit(5))
      await get()
      agent.destroy()
      server.close()
    })`)
  t.same({ stdout, stderr, code }, well)
})

t.test('a runner of tests: worker processes, Workers, contexts, a registry of modules', { skip }, async (t) => {
  const { stdout, stderr, code } = await runForking(`${forking}
    const { Worker } = require('node:worker_threads')
    const { once } = require('node:events')
    const vm = require('node:vm')
    const child_process = require('node:child_process')
    async function run() {
      const processes = Array.from({ length: 2 }, () => child_process.spawn(process.execPath, ['-e', 'process.on("message", (m) => process.send(m))'], { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] }))
      const workers = Array.from({ length: 2 }, () => new Worker('require("node:worker_threads").parentPort.on("message", () => {})', { eval: true }))
      await Promise.all(workers.map((worker) => once(worker, 'online')))
      for (const each of processes) { each.send('x'); await once(each, 'message') }
      const registry = new Map()
      for (let i = 0; i < 3; i++) {
        const context = vm.createContext({ console, require, module: { exports: {} } })
        registry.set(i, vm.runInContext('module.exports = () => Math.random(); module', context))
      }
      fs.watch(__dirname).unref()
      await fs.promises.readFile(process.execPath.replace(/node$/, ''), { flag: 'r' }).catch(() => {})
      goes(() => { registry.get(0).exports(); _exit(5) })
      processes.forEach((each) => each.kill())
      await Promise.all(workers.map((worker) => worker.terminate()))
    }
    run()`)
  t.same({ stdout, stderr, code }, well)
})

const hasSqlite = Number(process.versions.node.split('.')[0]) >= 22
t.test(
  'a database of node:sqlite, in use, with its write-ahead log',
  { skip: skip || (!hasSqlite && 'node:sqlite is in Node since 22') },
  async (t) => {
    const { stdout, stderr, code } = await runForking(
      `${forking}
      const { DatabaseSync } = require('node:sqlite')
      const database = new DatabaseSync(${JSON.stringify(join(folderOf(t), 'data'))})
      database.exec('PRAGMA journal_mode = WAL; CREATE TABLE numbers (value INTEGER); INSERT INTO numbers VALUES (7)')
      assert.strictEqual(database.prepare('SELECT value FROM numbers').get().value, 7)
      goes(() => _exit(5))
      assert.strictEqual(database.prepare('SELECT value FROM numbers').get().value, 7)`,
      { nodeOptions: ['--no-warnings'] },
    )
    t.same({ stdout, stderr, code }, well)
  },
)

/** A folder with sharp installed, or why there is none. */
function sharpFolder(folder: string): { folder?: string; reason?: string } {
  try {
    const argv = [
      'install',
      '--prefix',
      folder,
      '--no-audit',
      '--no-fund',
      '--fetch-retries=0',
      '--fetch-timeout=10000',
      'sharp@0.34',
    ]
    execFileSync('npm', argv, { stdio: 'pipe', timeout: 40_000 })
    return { folder }
  } catch {
    return { reason: "sharp can't be installed here: no network, or no npm" }
  }
}

t.test('sharp at work: an add-on with threads of its own', { skip, timeout: 120_000 }, async (t) => {
  const { folder, reason } = sharpFolder(folderOf(t))
  if (folder === undefined) {
    t.pass('not tried', { skip: reason as string })
    return
  }
  const { stdout, stderr, code } = await runForking(`${forking}
    const sharp = require(${JSON.stringify(join(folder, 'node_modules', 'sharp'))})
    const draw = () => sharp({ create: { width: 400, height: 400, channels: 3, background: 'red' } }).resize(100).png().toBuffer()
    draw().then((image) => {
      assert.ok(image.length > 0)
      goes(() => draw().then((again) => _exit(again.equals(image) ? 5 : 6)))
    })`)
  t.same({ stdout, stderr, code }, well)
})
