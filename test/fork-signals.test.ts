import { spawnSync } from 'node:child_process'
import t from 'tap'
import { linesOf, singleThreaded } from './support/fork'
import { root, runNode } from './support/program'

t.test("a child idle in its event loop dies of its parent's SIGTERM", async (t) => {
  const lines = await linesOf(
    `
    const { pipe } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      setInterval(() => {}, 60_000)
      setImmediate(() => fs.writeSync(writeEnd, 'x'))
    } else {
      fs.readSync(readEnd, Buffer.alloc(1))
      process.kill(pid, 'SIGTERM')
      console.log(ending(pid))
    }
  `,
    singleThreaded,
  )
  t.same(lines, ['SIGTERM']) // fork.signals-07
})

t.test('a handler runs in the process that got the signal: of before the fork, and of after', async (t) => {
  const lines = await linesOf(
    `
    let keep = setInterval(() => {}, 1000)
    const who = () => (pid === 0 ? 'child' : 'parent')
    process.on('SIGUSR2', () => console.log('before', who()))
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      process.on('SIGHUP', () => { console.log('after', who()); clearInterval(keep) })
      process.kill(process.pid, 'SIGUSR2')
      setImmediate(() => process.kill(process.pid, 'SIGHUP'))
    } else {
      console.log(ending(pid))
      process.once('SIGUSR2', () => clearInterval(keep))
      process.kill(process.pid, 'SIGUSR2')
    }
  `,
    singleThreaded,
  )
  t.same(lines, ['before child', 'after child', 0, 'before parent']) // fork.signals-13
})

t.test("a signal that the parent has yet to handle is the parent's alone", async (t) => {
  const lines = await linesOf(
    `
    let handled = 0
    const keep = setInterval(() => {}, 1000)
    process.on('SIGUSR2', () => { handled++; if (pid !== 0) { console.log('parent'); clearInterval(keep) } })
    process.kill(process.pid, 'SIGUSR2') // its handler runs in a later turn
    const pid = fork({ threads: 'caller' })
    if (pid === 0) setTimeout(() => process.exit(handled), 100)
    else console.log(ending(pid))
  `,
    singleThreaded,
  )
  t.same(lines, [0, 'parent']) // fork.signals-16
})

t.test('a child that listens for such a signal no more comes to its end', async (t) => {
  const lines = await linesOf(
    `
    const handle = () => {}
    process.on('SIGUSR2', handle)
    process.kill(process.pid, 'SIGUSR2')
    const pid = fork({ threads: 'caller' })
    process.off('SIGUSR2', handle)
    if (pid !== 0) console.log(ending(pid))
  `,
    singleThreaded,
  )
  t.same(lines, [0])
})

t.test('a child signals itself by its thread id', async (t) => {
  const lines = await linesOf(`
    const { gettid, kill } = require('truefork')
    const pid = fork(caller)
    if (pid === 0) {
      if (gettid() !== process.pid) _exit(1)
      kill(gettid(), 'SIGTERM')
      _exit(2)
    }
    console.log(ending(pid))
  `)
  t.same(lines, ['SIGTERM']) // fork.signals-14
})

t.test('a handler in a child that waits for its own child ends that', async (t) => {
  const lines = await linesOf(
    `(() => {
    const { WNOHANG } = require('truefork')
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      const grandchild = fork({ threads: 'caller' })
      if (grandchild === 0) { setInterval(() => {}, 1000); return }
      process.on('SIGUSR1', () => process.kill(grandchild, 'SIGUSR2'))
      process.kill(process.pid, 'SIGUSR1')
      const poll = setInterval(() => {
        const { pid, status } = waitpid(grandchild, WNOHANG)
        if (pid !== 0) { clearInterval(poll); console.log(describeStatus(status).signal) }
      }, 2)
    } else console.log(ending(pid))
    })()`,
    singleThreaded,
  )
  t.same(lines, ['SIGUSR2', 0]) // fork.signals-08
})

t.test('a child whose exec has failed still handles signals', async (t) => {
  const lines = await linesOf(
    `
    const { execv, pipe } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      try { execv('/no/such/program', ['x']) } catch ({ code }) { if (code !== 'ENOENT') _exit(1) }
      process.on('SIGUSR2', () => process.exit(0))
      setInterval(() => {}, 1000)
      fs.writeSync(writeEnd, 'x')
    } else {
      fs.readSync(readEnd, Buffer.alloc(1))
      process.kill(pid, 'SIGUSR2')
      console.log(ending(pid))
    }
  `,
    singleThreaded,
  )
  t.same(lines, [0]) // fork.hazard-16
})

const withoutPerl = spawnSync('perl', ['-v']).status === 0 ? false : 'no perl here to set an alarm by'

t.test('an alarm of the parent rings in the parent alone', { skip: withoutPerl }, async (t) => {
  const program = `
    const { fork, waitpid } = require(${JSON.stringify(root)})
    let rang = 0
    const keep = setInterval(() => {}, 1000)
    process.on('SIGALRM', () => {
      rang++
      if (pid === 0) return
      console.log('alarm')
      // The child has lived past the alarm's time: what it has got, it has got.
      process.kill(pid, 'SIGHUP')
      console.log(waitpid(pid).status)
      clearInterval(keep)
    })
    process.on('SIGHUP', () => process.exit(rang))
    const pid = fork({ threads: 'caller' })
  `
  const flags = singleThreaded.nodeOptions ?? []
  // An alarm survives exec: this Node becomes perl, which sets it and becomes the Node that forks.
  const argv = ['perl', '-e', 'alarm 1; exec @ARGV', '--', process.execPath, ...flags, '-e', program]
  const { stdout, stderr } = await runNode([
    '-e',
    `require(${JSON.stringify(root)}).execvp('perl', ${JSON.stringify(argv)})`,
  ])
  t.equal(stdout, 'alarm\n0\n', stderr) // fork.signals-02, fork.signals-03
})
