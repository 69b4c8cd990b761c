import t from 'tap'
import { linesOf, runForking, singleThreaded } from './support/fork'

t.test('fork returns twice: 0 in the child, its pid in the parent', async (t) => {
  const lines = await linesOf(`
    const pid = fork(caller)
    if (pid === 0) _exit(7)
    console.log(JSON.stringify([pid > 0, waitpid(pid).pid === pid, pid !== process.pid]))
    const other = fork(caller)
    if (other === 0) _exit(9)
    console.log(ending(other))
  `)
  t.same(lines, [[true, true, true], 9]) // fork.basic-01
})

t.test('the child knows its pid and its parent', async (t) => {
  const [parent, child, pid] = (await linesOf(`
    const { getpid, getppid } = require('truefork')
    const ids = () => console.log(JSON.stringify([process.pid, getpid(), process.ppid, getppid()]))
    ids()
    const pid = fork(caller)
    if (pid === 0) { ids(); _exit(0) }
    waitpid(pid)
    console.log(pid)
  `)) as [number[], number[], number]
  t.equal(parent[0], parent[1])
  t.equal(parent[2], parent[3])
  t.same(child, [pid, pid, parent[0], parent[0]])
})

t.test("a pid is nobody else's before, and gone once reaped", async (t) => {
  const lines = await linesOf(`
    const { kill } = require('truefork')
    const before = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number)
    const pid = fork(caller)
    if (pid === 0) _exit(0)
    console.log(before.includes(pid))
    waitpid(pid)
    try { kill(pid, 0) } catch ({ code }) { console.log(code) }
  `)
  t.same(lines, [false, 'ESRCH']) // fork.basic-03
})

t.test('the heap is copied: neither sees what the other writes', async (t) => {
  const lines = await linesOf(`
    const state = { number: 777, list: ['a'], bytes: new Uint8Array([1]), shared: new Int32Array(new SharedArrayBuffer(4)) }
    const look = (who) => console.log(who, state.number, state.list.join(), state.bytes[0], state.shared[0])
    const { pipe } = require('truefork')
    const [fromParent, toChild] = pipe()
    const pid = fork(caller)
    if (pid === 0) {
      fs.readSync(fromParent, Buffer.alloc(1)) // the parent has written to its memory
      look('child')
      state.number = 999
      state.list.push('c')
      state.bytes[0] = 3
      state.shared[0] = 3
      look('child')
      _exit(0)
    }
    state.list.push('b')
    state.bytes[0] = 2
    state.shared[0] = 2
    fs.writeSync(toChild, 'x')
    waitpid(pid)
    look('parent')
  `)
  t.same(lines, ['child 777 a 1 0', 'child 999 a,c 3 3', 'parent 777 a,b 2 2']) // fork.basic-13
})

t.test('parent and child run at the same time', async (t) => {
  // Each waits for the other a hundred times: one that were suspended would hang both.
  const lines = await linesOf(`
    const { pipe } = require('truefork')
    const [there, toChild] = pipe()
    const [here, toParent] = pipe()
    const byte = Buffer.alloc(1)
    const pid = fork(caller)
    const [input, output] = pid === 0 ? [there, toParent] : [here, toChild]
    for (let turn = 0; turn < 100; turn++) {
      if (pid !== 0) fs.writeSync(output, 'x')
      fs.readSync(input, byte)
      if (pid === 0) fs.writeSync(output, 'x')
    }
    if (pid === 0) _exit(0)
    console.log(ending(pid))
  `)
  t.same(lines, [0]) // fork.basic-06
})

t.test('fifty children are reaped once each, and then there is none', async (t) => {
  const lines = await linesOf(`
    const made = new Map()
    for (let i = 0; i < 50; i++) {
      const pid = fork(caller)
      if (pid === 0) _exit(i)
      made.set(pid, i)
    }
    for (let i = 0; i < 50; i++) {
      const { pid, status } = wait()
      assert.strictEqual(status >> 8, made.get(pid))
      made.delete(pid)
    }
    console.log(made.size)
    try { wait() } catch ({ code }) { console.log(code) }
  `)
  t.same(lines, [0, 'ECHILD']) // fork.basic-07
})

t.test('a child computes at length, collects garbage and optimises', async (t) => {
  const lines = await linesOf(
    `
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      const lists = Array.from({ length: 40 }, (_, i) => Array.from({ length: 20_000 }, (_, k) => ({ key: (k * 7919 + i) % 20_011 })))
      for (const list of lists) list.sort((a, b) => a.key - b.key)
      let sum = 0
      for (let turn = 0; turn < 5e6; turn++) sum = (sum + turn * 31) % 1_000_003
      process.exit(lists.every((list) => list.every(({ key }, i) => i === 0 || list[i - 1].key <= key)) && sum >= 0 ? 0 : 1)
    }
    console.log(ending(pid))
    console.log(JSON.parse('[' + '1,'.repeat(1000) + '1]').length)
  `,
    singleThreaded,
  )
  t.same(lines, [0, 1001]) // fork.basic-08
})

t.test("the child is its parent's image in all that the kernel keeps", async (t) => {
  const [parent, child] = await linesOf(`
    const os = require('node:os')
    process.umask(0o31)
    process.chdir('/usr')
    os.setPriority(5)
    const field = (name) => new RegExp('^' + name + ':.*', 'm').exec(fs.readFileSync('/proc/self/status', 'utf8'))[0]
    const image = () => console.log(JSON.stringify([
      process.getuid(), process.geteuid(), process.getgid(), process.getegid(), process.getgroups(), process.umask(), process.cwd(),
      fs.statSync('/').ino, os.getPriority(), field('NSpgid').split('\\t').length, field('CapEff'),
      fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ').slice(2, 4), // pgid, sid
      fs.readFileSync('/proc/self/limits', 'utf8'),
    ]))
    image()
    const pid = fork(caller)
    if (pid === 0) { image(); _exit(0) }
    waitpid(pid)
  `)
  t.same(child, parent) // fork.basic-12, fork.basic-15
})

t.test("the child's processor time starts anew", async (t) => {
  const [parent, child] = (
    await linesOf(`
    const spent = () => { const { user, system } = process.cpuUsage(); return user + system }
    while (spent() < 600_000);
    const pid = fork(caller)
    console.log(spent())
    if (pid === 0) _exit(0)
    waitpid(pid)
  `)
  )
    .map(Number)
    .sort((a, b) => b - a) as [number, number]
  t.ok(parent >= 600_000)
  // Half of the parent's is far from what a child needs to say so.
  t.ok(child < parent / 2, `${child} of ${parent} microseconds`) // fork.basic-14
})

t.test('the status words tell what a child did', async (t) => {
  const lines = await linesOf(`
    const { WUNTRACED, waitstatusToExitcode } = require('truefork')
    const made = (act) => { const pid = fork(caller); if (pid === 0) { act(); _exit(99) } return pid }
    console.log(JSON.stringify(describeStatus(waitpid(made(() => _exit(-1 & 0xff))).status)))
    console.log(JSON.stringify(describeStatus(waitpid(made(() => process.kill(process.pid, 'SIGKILL'))).status)))
    const stopping = made(() => process.kill(process.pid, 'SIGSTOP'))
    console.log(JSON.stringify(describeStatus(waitpid(stopping, WUNTRACED).status)))
    process.kill(stopping, 'SIGCONT')
    console.log(ending(stopping))
  `)
  t.same(lines, [
    { kind: 'exited', code: 255 },
    { kind: 'signaled', signal: 'SIGKILL', core: false },
    { kind: 'stopped', signal: 'SIGSTOP' },
    99,
  ]) // fork.basic-16
})

t.test('parent, children and grandchildren draw different random numbers', async (t) => {
  const lines = await linesOf(
    `
    const crypto = require('node:crypto')
    const os = require('node:os')
    const draw = () => {
      const directory = fs.mkdtempSync(os.tmpdir() + '/truefork-')
      fs.rmdirSync(directory)
      console.log([Math.random(), crypto.randomUUID(), crypto.randomInt(2 ** 40), crypto.randomBytes(16).toString('hex'), directory].join('\\n'))
    }
    draw()
    for (let generation = 0; generation < 3; generation++) {
      const pids = [fork(caller)]
      if (pids[0] !== 0) pids.push(fork(caller))
      draw()
      if (!pids.includes(0)) { pids.forEach((pid) => waitpid(pid)); if (generation > 0) _exit(0); break }
    }
  `,
    singleThreaded,
  )
  // fork.runtime-11, fork.runtime-13, fork.runtime-14
  t.ok(lines.length >= 50, `${lines.length} numbers`)
  t.equal(new Set(lines).size, lines.length)
})

t.test('numbers from Math.random in a child are spread over the whole of [0, 1)', async (t) => {
  const [mean, low, high] = (
    await linesOf(
      `
    const pid = fork(caller)
    if (pid === 0) {
      let sum = 0, low = 1, high = 0
      for (let i = 0; i < 20_000; i++) {
        const number = Math.random()
        sum += number
        low = Math.min(low, number)
        high = Math.max(high, number)
      }
      console.log(JSON.stringify([sum / 20_000, low, high]))
      _exit(0)
    }
    waitpid(pid)
  `,
      singleThreaded,
    )
  )[0] as [number, number, number]
  // The bounds are ten standard errors away or more.
  t.ok(Math.abs(mean - 0.5) < 0.025, `mean ${mean}`)
  t.ok(low >= 0 && low < 0.005, `lowest ${low}`)
  t.ok(high < 1 && high > 0.995, `highest ${high}`)
})

t.test('random numbers need no clock and no iterator that the program may have replaced', async (t) => {
  const lines = await linesOf(
    `
    const { createContext, runInContext } = require('node:vm')
    const pid = fork(caller)
    if (pid === 0) {
      process.hrtime = undefined
      const iterator = Array.prototype[Symbol.iterator]
      delete Array.prototype[Symbol.iterator]
      const numbers = [Math.random(), runInContext('Math.random()', createContext())]
      Array.prototype[Symbol.iterator] = iterator
      console.log(numbers.map((number) => typeof number).join('\\n'))
      _exit(0)
    }
    waitpid(pid)
  `,
    singleThreaded,
  )
  t.same(lines, ['number', 'number'])
})

t.test('the program goes on from the fork and is not started again', async (t) => {
  const { stdout } = await runForking(`
    process.stdout.write('start ')
    const pid = fork(caller)
    if (pid !== 0) waitpid(pid)
    process.stdout.write(pid === 0 ? 'child ' : 'parent ')
    if (pid === 0) _exit(0)
  `)
  t.equal(stdout, 'start child parent ') // fork.runtime-29
})

t.test('a child whose standard input is closed makes children of its own', async (t) => {
  const lines = await linesOf(`
    fs.closeSync(0)
    const pid = fork(caller)
    if (pid === 0) {
      const grandchild = fork(caller)
      if (grandchild === 0) _exit(6)
      _exit(ending(grandchild))
    }
    console.log(ending(pid))
  `)
  t.same(lines, [6]) // fork.runtime-10
})

t.test('a daemon made by two forks has one thread and another pid', async (t) => {
  const [parent, middle, daemon] = (await linesOf(`
    const { pipe } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    process.on('exit', () => console.log('exit'))
    const pid = fork(caller)
    if (pid === 0) {
      if (fork(caller) !== 0) _exit(0)
      console.log(JSON.stringify([process.pid, fs.readdirSync('/proc/self/task').length]))
      process.exit(0)
    }
    fs.closeSync(writeEnd)
    waitpid(pid)
    fs.readSync(readEnd, Buffer.alloc(1)) // until the daemon, its last holder, has ended
    console.log(JSON.stringify([process.pid, pid]))
  `).then((lines) => {
    const [daemon, itsExit, parent, exit] = lines as [number[], string, number[], string]
    t.same([itsExit, exit], ['exit', 'exit'], 'exit handlers run in the daemon and the parent, not in between')
    return [parent[0], parent[1], daemon]
  })) as [number, number, [number, number]]
  t.equal(daemon[1], 1) // fork.runtime-31, fork.hazard-02
  t.equal(new Set([parent, middle, daemon[0]]).size, 3)
})
