import t from 'tap'
import { linesOf, singleThreaded } from './support/fork'

/** Runs `body` in a child whose parent waits for it and ends with the child's code. */
function inChild(body: string, before = ''): Promise<unknown[]> {
  return linesOf(
    `${before}
    const pid = fork({ threads: 'caller' })
    if (pid === 0) { ${body} } else process.exitCode = ending(pid)`,
    singleThreaded,
  )
}

t.test('timers, immediates, promises and ticks run in the child', async (t) => {
  const lines = await inChild(`
    const { setTimeout: sleep } = require('node:timers/promises')
    process.nextTick(() => console.log('tick'))
    Promise.resolve().then(() => console.log('microtask'))
    setTimeout(() => setImmediate(() => console.log('immediate')), 1)
    let turns = 0
    const interval = setInterval(() => { if (++turns === 3) { clearInterval(interval); console.log('interval') } }, 1)
    sleep(50).then(() => console.log('slept'))
  `)
  t.equal(lines.length, 5)
  t.same(lines.slice(0, 2), ['tick', 'microtask'])
  t.match(new Set(lines), new Set(['immediate', 'interval', 'slept']))
})

t.test('a timer of before the fork fires once in each', async (t) => {
  const lines = await linesOf(
    `
    const start = Date.now()
    setTimeout(() => console.log(pid === 0 ? 'child' : 'parent', Date.now() - start >= 49), 50)
    const pid = fork({ threads: 'caller' })
    if (pid !== 0) process.once('exit', () => waitpid(pid))
  `,
    singleThreaded,
  )
  t.same(lines.sort(), ['child true', 'parent true']) // fork.runtime-02
})

t.test('the thread pool works in the child, though the parent has used it', async (t) => {
  const lines = await linesOf(
    `
    const crypto = require('node:crypto')
    fs.readFile('/proc/self/comm', () => {
      const pid = fork({ threads: 'caller' })
      if (pid !== 0) { process.exitCode = ending(pid); return }
      fs.readFile('/proc/self/comm', 'utf8', (error, text) => console.log('callback', error === null && text.length > 0))
      fs.promises.stat('/').then((stats) => console.log('promise', stats.isDirectory()))
      crypto.pbkdf2('password', 'salt', 1000, 16, 'sha512', (error, key) => console.log('pbkdf2', key.length))
      require('node:zlib').gzip('text', (error, packed) => console.log('gzip', require('node:zlib').gunzipSync(packed).toString()))
      require('node:dns').lookup('127.0.0.1', (error, address) => console.log('lookup', address))
    })
  `,
    singleThreaded,
  )
  t.same(lines.sort(), ['callback true', 'gzip text', 'lookup 127.0.0.1', 'pbkdf2 16', 'promise true'])
})

t.test('the child serves and asks by http', async (t) => {
  const lines = await inChild(`
    const http = require('node:http')
    const server = http.createServer((request, response) => request.pipe(response)).listen(0, '127.0.0.1', () => {
      const request = http.request({ port: server.address().port, method: 'POST', agent: false }, (response) => {
        response.setEncoding('utf8').on('data', (text) => console.log(text)).on('end', () => server.close())
      })
      request.end('echo')
    })
  `)
  t.same(lines, ['echo'])
})

t.test('the child makes children by child_process and hears their end', async (t) => {
  const lines = await inChild(`
    const { execFile, spawn, spawnSync } = require('node:child_process')
    execFile('sh', ['-c', 'echo from sh; exit 3'], (error, stdout) => {
      console.log(error.code, stdout.trim())
      spawn('cat', { stdio: ['pipe', 'inherit', 'inherit'] }).on('exit', (code) => console.log('cat', code)).stdin.end('through\\n')
    })
    console.log(spawnSync('sh', ['-c', 'exit 5']).status)
  `)
  t.same(lines, [5, '3 from sh', 'through', 'cat 0'])
})

t.test('fs.watch works on a file and on a directory in the child', async (t) => {
  const lines = await inChild(`
    const path = require('node:path')
    const directory = fs.mkdtempSync(require('node:os').tmpdir() + '/truefork-')
    const file = path.join(directory, 'file')
    fs.writeFileSync(file, '')
    const seen = new Set()
    const watch = (name, what) => {
      const watcher = fs.watch(what, () => { seen.add(name); watcher.close(); done() })
    }
    const done = () => { if (seen.size === 2) { fs.rmSync(directory, { recursive: true }); console.log([...seen].sort().join()) } }
    watch('directory', directory)
    watch('file', file)
    fs.writeFileSync(file, 'x')
    fs.writeFileSync(path.join(directory, 'other'), 'x')
  `)
  t.same(lines, ['directory,file']) // fork.runtime-06, fork.runtime-07
})

t.test('a watcher of before the fork reports in the child, and goes on in the parent', async (t) => {
  const lines = await linesOf(
    `
    const directory = fs.mkdtempSync(require('node:os').tmpdir() + '/truefork-')
    const file = directory + '/file'
    fs.writeFileSync(file, '')
    const watcher = fs.watch(file, () => {
      watcher.close()
      console.log(pid === 0 ? 'child' : 'parent')
      if (pid !== 0) { process.exitCode = ending(pid); fs.rmSync(directory, { recursive: true }) }
    })
    const pid = fork({ threads: 'caller' })
    if (pid === 0) fs.writeFileSync(file, 'x')
  `,
    singleThreaded,
  )
  t.same(lines.sort(), ['child', 'parent']) // fork.runtime-08
})

t.test("a Worker that the child makes has the child's ids, and the child is the main thread", async (t) => {
  const lines = await inChild(
    `
    const { Worker, isMainThread, threadId } = require('node:worker_threads')
    console.log(isMainThread, threadId)
    const worker = new Worker('require("node:worker_threads").parentPort.postMessage(process.ppid)', { eval: true })
    worker.on('message', (ppid) => console.log(ppid === before))
  `,
    'const before = process.pid',
  )
  t.same(lines, ['true 0', true]) // fork.runtime-15, fork.runtime-17
})

t.test("the parent's timers, server and connections outlive whatever its child does with its own", async (t) => {
  const lines = await linesOf(
    `
    const net = require('node:net')
    let ticks = 0
    const interval = setInterval(() => { ticks++ }, 5)
    const server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1', () => {
      const client = net.connect(server.address().port, '127.0.0.1', () => {
        const pid = fork({ threads: 'caller' })
        if (pid === 0) {
          clearInterval(interval)
          client.destroy()
          server.close()
          process.exit(0)
        }
        console.log(ending(pid))
        const before = ticks
        client.setEncoding('utf8').on('data', (text) => {
          console.log(text)
          setTimeout(() => { console.log(ticks > before); clearInterval(interval); client.end(); server.close() }, 50)
        })
        client.write('still here')
      })
    })
  `,
    singleThreaded,
  )
  t.same(lines, [0, 'still here', true]) // fork.fd-13
})

t.test('a child that answers a request and throws leaves the server as it was', async (t) => {
  const lines = await linesOf(
    `
    const http = require('node:http')
    let asked = 0
    const server = http.createServer((request, response) => {
      const pid = fork({ threads: 'caller' })
      if (pid === 0) throw new Error('the handler fails')
      response.end('child ended with ' + ending(pid))
    }).listen(0, '127.0.0.1', () => ask())
    function ask() {
      http.get({ port: server.address().port, agent: false }, (response) => {
        response.setEncoding('utf8').on('data', (text) => console.log(text)).on('end', () => ++asked < 3 ? ask() : server.close())
      })
    }
  `,
    singleThreaded,
  )
  t.same(lines, Array(3).fill('child ended with 1')) // fork.runtime-26
})
