// Pending waits: thousands of them, under few descriptors, beside Node's own children, through forks and in Workers.
import t from 'tap'
import { linesOf, singleThreaded, withoutAllThreads } from './support/fork'
import { runWithDescriptors } from './support/limits'
import { runProgram } from './support/program'

const notLinux = process.platform !== 'linux' && 'only Linux has /proc'
t.setTimeout(240_000) // ten thousand processes on a busy machine

const prelude = `
  const { closeSync, readdirSync, readFileSync } = require('node:fs')
  const { fcntl, F_SETFD, kill, pipe, posix_spawn, posix_spawnp, wait, waitpid } = require('truefork')
  const promises = require('truefork/promises')
  const kilobytes = () => Number(/VmRSS:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
  const count = (folder) => readdirSync('/proc/self/' + folder).length
  const sleeping = () => posix_spawnp('sleep', ['sleep', '600'])
  const codeOf = (call) => { try { return call() } catch ({ code }) { return code } }
  // Children that end when the pipe is closed.
  function crowd(size) {
    const [readEnd, writeEnd] = pipe()
    fcntl(writeEnd, F_SETFD, 1)
    const options = {
      env: {},
      fileActions: [{ action: 'dup2', fd: readEnd, newFd: 0 }, { action: 'close', fd: readEnd }],
    }
    const pids = Array.from({ length: size }, () => posix_spawn('/bin/cat', ['cat'], options))
    closeSync(readEnd)
    return { pids, end: () => closeSync(writeEnd) }
  }
  const settled = async (waits) => (await Promise.allSettled(waits)).map(({ value, reason }) => value?.pid ?? reason.code)
`

t.test(
  'ten thousand children are awaited at once, without a thread and in flat memory',
  { skip: notLinux },
  async (t) => {
    const { stdout, stderr } = await runProgram(
      `${prelude}
    async function round(size) {
      const { pids, end } = crowd(size)
      gc()
      const before = { threads: count('task'), kilobytes: kilobytes() }
      const waits = pids.map((pid) => promises.waitpid(pid))
      await new Promise((resolve) => setTimeout(resolve, 50)) // the event loop goes on
      gc()
      const pending = { threads: count('task'), kilobytes: kilobytes(), descriptors: count('fd') }
      end()
      const results = await Promise.all(waits)
      gc()
      const right = results.filter(({ pid, status }, i) => pid === pids[i] && status === 0).length
      return { right, before, pending, after: { threads: count('task'), kilobytes: kilobytes() }, descriptors: count('fd') }
    }
    async function main() {
      await round(100)
      const first = await round(10_000)
      console.log(JSON.stringify([first, await round(10_000), await round(10_000), codeOf(wait)]))
    }
    main()`,
      { nodeOptions: ['--expose-gc'], timeoutMs: 220_000 },
    )
    t.equal(stderr, '')
    const [first, second, third, left] = JSON.parse(stdout)
    t.equal(left, 'ECHILD')
    for (const { right, before, pending, after } of [first, second, third]) {
      t.equal(right, 10_000)
      t.equal(pending.threads, before.threads)
      t.equal(after.threads, before.threads)
      // Four kilobytes a wait, promise and descriptor included, are twice what it takes; a thread has a stack of eight
      // thousand.
      const grown = pending.kilobytes - before.kilobytes
      t.ok(grown < 40_000, `${grown} kilobytes for ten thousand waits`)
    }
    t.equal(third.descriptors, first.descriptors)
    // The heap takes and returns some megabytes now and then, but what leaks is lost each time.
    const grown = [second.after.kilobytes - first.after.kilobytes, third.after.kilobytes - second.after.kilobytes]
    t.ok(Math.min(...grown) < 16_000, `${grown.join(', ')} kilobytes more after ten thousand more`)
  },
)

t.test('more children than descriptors are awaited, and half of these are left to the program', async (t) => {
  const { stdout, stderr } = await runWithDescriptors(
    128,
    `${prelude}
    async function main() {
      const { pids, end } = crowd(400)
      const waits = pids.map((pid) => promises.waitpid(pid))
      await new Promise((resolve) => setTimeout(resolve, 50))
      const free = []
      try { for (;;) free.push(require('node:fs').openSync('/dev/null')) } catch {}
      const late = posix_spawnp('sleep', ['sleep', '600'])
      const lateWait = promises.waitpid(late)
      kill(late, 'SIGKILL')
      const told = (await lateWait).pid === late
      free.forEach((fd) => closeSync(fd))
      end()
      const right = (await Promise.all(waits)).filter(({ pid }, i) => pid === pids[i]).length
      console.log(free.length >= 60, told, right, codeOf(wait))
    }
    main()`,
  )
  t.equal(stderr, '')
  t.equal(stdout, 'true true 400 ECHILD\n')
})

t.test('a handler of SIGCHLD and children of node:child_process work beside', async (t) => {
  const { stdout, stderr } = await runProgram(`${prelude}
    const { spawn, spawnSync } = require('node:child_process')
    let signals = 0
    process.on('SIGCHLD', () => { signals++ })
    async function main() {
      const ours = Array.from({ length: 20 }, (_, i) => posix_spawnp('sh', ['sh', '-c', 'sleep 0.0' + i % 7 + '; exit ' + i]))
      const theirs = Array.from({ length: 20 }, (_, i) => spawn('sh', ['-c', 'sleep 0.0' + i % 7 + '; exit ' + i]))
      const exits = theirs.map((child) => new Promise((resolve) => child.on('exit', resolve)))
      const stolen = settled(theirs.map(({ pid }) => promises.waitpid(pid)))
      const any = Array.from({ length: 10 }, () => promises.waitpid(-1))
      const one = ours.map((pid) => promises.waitpid(pid).catch(({ code }) => code))
      const told = spawnSync('sh', ['-c', 'exit 9']).status
      const seen = new Map((await Promise.all(any)).map(({ pid, status }) => [pid, status >> 8]))
      const rest = await Promise.all(one)
      rest.forEach((result, i) => { if (result !== 'ECHILD') seen.set(result.pid, result.status >> 8) })
      const right = ours.filter((pid, i) => seen.get(pid) === i).length
      const codes = await Promise.all(exits)
      console.log(right, codes.filter((code, i) => code === i).length, told, new Set(await stolen), signals > 0)
    }
    main()`)
  t.equal(stderr, '')
  t.equal(stdout, "20 20 9 Set(1) { 'ECHILD' } true\n")
})

t.test('pending waits keep the process alive, and aborted ones do not', async (t) => {
  const { code, stdout } = await runProgram(`${prelude}
    const pid = sleeping()
    const controller = new AbortController()
    for (const any of [pid, -1]) promises.waitpid(any, 0, controller).catch(({ code }) => console.log(code))
    promises.waitpid(posix_spawnp('sh', ['sh', '-c', 'sleep 0.1; exit 5'])).then(({ status }) => {
      console.log(status >> 8)
      controller.abort()
      process.once('exit', () => kill(pid, 'SIGKILL'))
    })`)
  t.equal(code, 0)
  t.equal(stdout, '5\nABORT_ERR\nABORT_ERR\n')
})

// Every kind of wait at the moment of a fork, all for children of the parent. In a block: the names are its own.
const atFork = (fork: string): string => `{ ${prelude}
  const pids = [sleeping(), sleeping(), posix_spawnp('sleep', ['sleep', '600'], { setpgroup: 0 })]
  const waits = [
    promises.waitpid(pids[0]),
    promises.waitpid(pids[1], require('truefork').WUNTRACED),
    promises.waitpid(-pids[2]),
  ]
  async function inChild() {
    const answers = await settled(waits)
    const { status } = await promises.waitpid(posix_spawnp('sh', ['sh', '-c', 'sleep 0.05; exit 4']))
    console.log(...answers, status >> 8)
    process.exit(3)
  }
  async function inParent(child) {
    const { status } = await promises.waitpid(child)
    for (const pid of pids) kill(pid, 'SIGKILL')
    console.log(status >> 8, (await settled(waits)).join() === pids.join(), codeOf(wait))
  }
  const child = ${fork}
  child === 0 ? inChild() : inParent(child)
}`
const afterFork = ['ECHILD ECHILD ECHILD 4', '3 true ECHILD']

t.test('waits that are pending at a fork are ECHILD in its child', { skip: withoutAllThreads }, async (t) => {
  t.same(await linesOf(atFork("fork({ threads: 'all' })")), afterFork)
})

t.test('so they are in a child that has the calling thread alone', { skip: notLinux }, async (t) => {
  t.same(await linesOf(atFork('fork(caller)'), singleThreaded), afterFork)
})

t.test('in a Worker that the child has, too', { skip: withoutAllThreads }, async (t) => {
  const worker = `${prelude}
    const { parentPort } = require('node:worker_threads')
    const pid = sleeping()
    promises.waitpid(pid).then((result) => parentPort.postMessage(result.pid === pid), ({ code }) => parentPort.postMessage(code))
    parentPort.postMessage(pid)`
  const lines = await linesOf(`
    const { once } = require('node:events')
    const worker = new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true })
    async function main() {
      const [pid] = await once(worker, 'message')
      const child = fork()
      if (child !== 0) {
        console.log(ending(child))
        process.kill(pid, 'SIGKILL')
      }
      const [answer] = await once(worker, 'message')
      console.log(child === 0 ? 'child' : 'parent', answer)
      if (child === 0) process.exit(3)
    }
    main()`)
  t.same(lines, ['child ECHILD', 3, 'parent true'])
})

t.test('a fork leaves no watch behind in either process', { skip: withoutAllThreads }, async (t) => {
  const lines = await linesOf(`{ ${prelude}
    async function main() {
      const pid = sleeping()
      const first = sleeping()
      const start = promises.waitpid(first)
      kill(first, 'SIGKILL')
      await start
      const before = count('fd')
      const pending = promises.waitpid(pid)
      const child = fork()
      if (child === 0) {
        await pending.catch(({ code }) => console.log(code))
        process.exit(count('fd') - before)
      }
      console.log(ending(child))
      kill(pid, 'SIGKILL')
      await pending
      console.log(count('fd') - before)
    }
    main()
  }`)
  t.same(lines, ['ECHILD', 0, 0])
})

t.test('a Worker waits and spawns by promises', async (t) => {
  const worker = `${prelude}
    const { parentPort } = require('node:worker_threads')
    Promise.all(Array.from({ length: 20 }, (_, i) =>
      promises.posix_spawnp('sh', ['sh', '-c', 'exit ' + i]).then((pid) => promises.waitpid(pid)))).then((results) =>
      parentPort.postMessage(results.map(({ status }) => status >> 8).join() + codeOf(wait)))`
  const { stdout, stderr } = await runProgram(`
    new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true }).on('message', console.log)`)
  t.equal(stderr, '')
  t.equal(stdout, `${Array.from({ length: 20 }, (_, i) => i).join()}ECHILD\n`)
})

t.test('a Worker ends amid waits and a spawn, and leaves nothing', { skip: notLinux }, async (t) => {
  const worker = `${prelude}
    const { parentPort, workerData } = require('node:worker_threads')
    const pids = Array.from({ length: 10 }, sleeping)
    for (const pid of pids) {
      promises.waitpid(pid)
      promises.waitpid(pid, require('truefork').WUNTRACED)
    }
    // It hangs in its child.
    promises.posix_spawnp('cat', ['cat'], { fileActions: [{ action: 'open', fd: 0, path: workerData, flags: 0 }] })
    parentPort.postMessage(pids)`
  const { code, stdout, stderr } = await runProgram(
    `${prelude}
    const { once } = require('node:events')
    const { Worker } = require('node:worker_threads')
    require('node:child_process').execFileSync('mkfifo', [process.argv[1]])
    const childrenNow = () => readdirSync('/proc/self/task').flatMap((tid) =>
      readFileSync('/proc/self/task/' + tid + '/children', 'utf8').split(' ').filter(Boolean).map(Number))
    async function round() {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData: process.argv[1] })
      const [pids] = await once(worker, 'message')
      await worker.terminate()
      for (const pid of pids) {
        kill(pid, 'SIGKILL')
        await promises.waitpid(pid)
      }
      return { children: childrenNow(), descriptors: count('fd') }
    }
    async function main() {
      const rounds = []
      for (let i = 0; i < 8; i++) rounds.push(await round())
      const children = rounds.flatMap(({ children }) => children)
      console.log(children.length, rounds.at(-1).descriptors - rounds[1].descriptors)
    }
    main()`,
    { args: [`${t.testdir()}/fifo`] },
  )
  t.same({ code, stdout, stderr }, { code: 0, stdout: '0 0\n', stderr: '' })
})
