// The children of node:child_process stay Node's, whatever this package waits for meanwhile.
import t from 'tap'
import { runWithDescriptors } from './support/limits'
import { runProgram } from './support/program'

const anyChild = {
  'wait()': 'wait()',
  'waitpid(-1)': 'waitpid(-1)',
  'waitpid(0)': 'waitpid(0)',
  'wait3()': 'wait3()',
  'wait4(-1)': 'wait4(-1)',
  'waitid(P_ALL)': 'fromInfo(waitid(P_ALL, 0, WEXITED))',
  'waitid(P_PGID)': 'fromInfo(waitid(P_PGID, 0, WEXITED))',
}

// Starts children of both kinds; their codes say whose they are.
const crowd = `
  const { spawn } = require('node:child_process')
  const { posix_spawnp, wait, wait3, wait4, waitid, waitpid, P_ALL, P_PGID, WEXITED, WNOHANG } = require('truefork')
  const fromInfo = ({ pid, status }) => ({ pid, status: status << 8 })
  const program = (code) => ['-c', 'sleep 0.0' + code % 7 + '; exit ' + code]
  const ours = new Map()
  const theirs = []
  function startBoth(count) {
    for (let i = 0; i < count; i++) {
      const child = spawn('sh', program(i), { stdio: 'ignore' })
      theirs.push(new Promise((resolve) => child.on('exit', (code, signal) => resolve(code === i && signal === null))))
      ours.set(posix_spawnp('sh', ['sh', ...program(100 + i)]), 100 + i)
    }
  }
  function settle({ pid, status }) {
    if (ours.get(pid) !== status >> 8) throw new Error('pid ' + pid + ' ended with ' + status)
    ours.delete(pid)
  }
  function codeOf(call) {
    try { return JSON.stringify(call()) } catch (error) { return error.code }
  }
  async function report(...words) {
    const exits = await Promise.all(theirs)
    console.log([...words, 'left ' + ours.size, 'exits ' + exits.filter(Boolean).length].join(', '))
  }
`

for (const [name, call] of Object.entries(anyChild)) {
  t.test(`${name} reaps our children and leaves Node its own`, async (t) => {
    const { stdout, stderr } = await runProgram(`${crowd}
      startBoth(20)
      while (ours.size > 0) settle(${call})
      report(codeOf(() => ${call}))`)
    t.equal(stderr, '')
    t.equal(stdout, 'ECHILD, left 0, exits 20\n')
  })
}

t.test('a wait for a pid leaves Node its own, running or ended, and any group of theirs', async (t) => {
  const { stdout, stderr } = await runProgram(`${crowd}
    startBoth(10)
    for (const pid of [...ours.keys()]) settle(waitpid(pid))
    const ended = spawn('true', { stdio: 'ignore' })
    const leader = spawn('sleep', ['0.3'], { stdio: 'ignore', detached: true })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100) // without the event loop, which would reap them
    const pids = [ended.pid, leader.pid]
    const answers = pids.flatMap((pid) => [
      codeOf(() => waitpid(pid)),
      codeOf(() => waitpid(pid, WNOHANG)),
      codeOf(() => wait4(pid)),
      codeOf(() => waitid(require('truefork').P_PID, pid, WEXITED)),
      codeOf(() => waitpid(-pid)),
      codeOf(() => waitid(P_PGID, pid, WEXITED)),
    ])
    for (const child of [ended, leader]) {
      theirs.push(new Promise((resolve) => child.on('exit', (code) => resolve(code === 0))))
    }
    report([...new Set(answers)])`)
  t.equal(stderr, '')
  t.equal(stdout, 'ECHILD, left 0, exits 12\n')
})

t.test('under WNOHANG a wait answers at once while only children of Node run', async (t) => {
  const { stdout } = await runProgram(`${crowd}
    theirs.push(new Promise((resolve) => spawn('sleep', ['0.2']).on('exit', (code) => resolve(code === 0))))
    const alone = codeOf(() => waitpid(-1, WNOHANG))
    const pid = posix_spawnp('sleep', ['sleep', '600'])
    const together = codeOf(() => waitpid(-1, WNOHANG))
    process.kill(pid)
    report(alone, together, waitpid(-1).pid === pid)`)
  t.equal(stdout, 'ECHILD, {"pid":0,"status":0}, true, left 0, exits 1\n')
})

t.test('a full descriptor table does not make a wait take what is Node its own', async (t) => {
  const program = `${crowd}
    startBoth(5)
    const fds = []
    try { for (;;) fds.push(require('node:fs').openSync('/dev/null')) } catch {}
    while (ours.size > 0) settle(wait())
    const after = codeOf(wait)
    fds.forEach((fd) => require('node:fs').closeSync(fd))
    report(after)`
  const { stdout, stderr } = await runWithDescriptors(96, program)
  t.equal(stderr, '')
  t.equal(stdout, 'ECHILD, left 0, exits 5\n')
})

t.test('spawnSync and execSync get their statuses between our waits', async (t) => {
  const { stdout, stderr } = await runProgram(`${crowd}
    const { execFileSync, spawnSync } = require('node:child_process')
    for (let i = 0; i < 15; i++) {
      ours.set(posix_spawnp('sh', ['sh', ...program(100 + i)]), 100 + i)
      const { status } = spawnSync('sh', program(i))
      if (status !== i) throw new Error('spawnSync told ' + status)
      if (execFileSync('echo', [i]).toString() !== i + '\\n') throw new Error('execFileSync told another output')
    }
    while (ours.size > 0) settle(wait())
    report(codeOf(wait))`)
  t.equal(stderr, '')
  t.equal(stdout, 'ECHILD, left 0, exits 0\n')
})

// Children of node:child_process in a Worker: 'ready' comes when the first run.
const busyWorker = `
  const { spawn, spawnSync } = require('node:child_process')
  const { parentPort } = require('node:worker_threads')
  const started = Array.from({ length: 10 }, (_, i) => spawn('sh', ['-c', 'sleep 0.' + (1 + i % 4) + '; exit ' + i]))
  const exits = started.map((child, i) => new Promise((resolve) => child.on('exit', (code) => resolve(code === i))))
  parentPort.postMessage(started.map(({ pid }) => pid))
  const statuses = Array.from({ length: 10 }, (_, i) => spawnSync('sh', ['-c', 'sleep 0.01; exit ' + i]).status)
  Promise.all(exits).then((results) =>
    parentPort.postMessage({ exits: results.filter(Boolean).length, statuses: statuses.join(' ') }))
`

t.test('children that Workers made by child_process stay theirs', async (t) => {
  const { stdout, stderr } = await runProgram(`${crowd}
    const { once } = require('node:events')
    const { Worker } = require('node:worker_threads')
    async function main() {
      const workers = [0, 1].map(() => new Worker(${JSON.stringify(busyWorker)}, { eval: true }))
      const pids = (await Promise.all(workers.map((worker) => once(worker, 'message')))).flat(2)
      const results = Promise.all(workers.map((worker) => once(worker, 'message')))
      for (let round = 0; round < 4; round++) {
        startBoth(5)
        for (const pid of pids) {
          const answer = codeOf(() => waitpid(pid, WNOHANG))
          if (answer !== 'ECHILD') throw new Error('waitpid(' + pid + ') told ' + answer)
        }
        while (ours.size > 0) settle(wait())
        for (const call of [wait, () => waitpid(-1), () => waitpid(0), () => waitid(P_ALL, 0, WEXITED)]) {
          if (codeOf(call) !== 'ECHILD') throw new Error('a wait took what was not ours')
        }
      }
      const told = (await results).flat().map(({ exits, statuses }) => exits + ': ' + statuses)
      await report(...told)
    }
    main()`)
  t.equal(stderr, '')
  const each = '10: 0 1 2 3 4 5 6 7 8 9'
  t.equal(stdout, `${each}, ${each}, left 0, exits 20\n`)
})

t.test('a Worker waits for its own while the main thread uses child_process', async (t) => {
  const worker = `
    const { parentPort } = require('node:worker_threads')
    const { posix_spawnp, wait } = require('truefork')
    const ours = new Set(Array.from({ length: 20 }, (_, i) => posix_spawnp('sh', ['sh', '-c', 'sleep 0.0' + i % 7])))
    while (ours.size > 0) if (!ours.delete(wait().pid)) throw new Error('not ours')
    try { wait() } catch (error) { parentPort.postMessage(error.code) }`
  const { stdout, stderr } = await runProgram(`${crowd}
    const { Worker } = require('node:worker_threads')
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true })
    startBoth(20)
    worker.on('message', (code) => {
      while (ours.size > 0) settle(wait())
      report(code, codeOf(wait))
    })`)
  t.equal(stderr, '')
  t.equal(stdout, 'ECHILD, ECHILD, left 0, exits 20\n')
})

t.test('a pid of another thread that this package made may be waited for', async (t) => {
  const worker = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { posix_spawnp, waitpid } = require('truefork')
    parentPort.postMessage([posix_spawnp('sh', ['sh', '-c', 'exit 6']), waitpid(workerData).status >> 8])
    parentPort.once('message', () => parentPort.close())`
  const { stdout, stderr } = await runProgram(`${crowd}
    const { Worker } = require('node:worker_threads')
    const mine = posix_spawnp('sh', ['sh', '-c', 'exit 5'])
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData: mine })
    worker.on('message', ([pid, status]) => {
      console.log(status, waitpid(pid).status >> 8, codeOf(() => waitpid(pid)), codeOf(() => waitpid(mine)))
      worker.postMessage('end')
    })`)
  t.equal(stderr, '')
  t.equal(stdout, '5 6 ECHILD ECHILD\n')
})
