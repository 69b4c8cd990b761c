import t from 'tap'
import { prctl } from 'truefork'
import { linesOf } from './support/fork'
import { runProgram } from './support/program'

const notLinux = process.platform !== 'linux' && 'ENOSYS there'

const prelude = `
  const { getppid, pipe, posix_spawnp, prctl, kill, sigprocmask, SIG_BLOCK } = require('truefork')
  const [readEnd, writeEnd] = pipe()
  const tell = (words) => fs.writeSync(writeEnd, words + '\\n')
  function toldUntilEnd() {
    fs.closeSync(writeEnd)
    return fs.readFileSync(readEnd, 'utf8').trim().split('\\n')
  }
`

t.test('a child gets its signal when its parent ends', { skip: notLinux }, async (t) => {
  // The watcher adopts the child, and so can tell how it ended.
  const lines = await linesOf(`${prelude}
    prctl.setChildSubreaper(true)
    const parent = fork(caller)
    if (parent === 0) {
      const child = fork(caller)
      if (child === 0) {
        prctl.setPdeathsig('SIGTERM')
        tell(process.pid)
        for (;;) fs.readSync(pipe()[0], Buffer.alloc(1)) // there is nothing to read
      }
      for (;;) process.kill(process.pid, 'SIGSTOP')
    }
    const buffer = Buffer.alloc(20)
    const child = Number(buffer.toString('utf8', 0, fs.readSync(readEnd, buffer)))
    kill(parent, 'SIGKILL')
    console.log(ending(parent))
    console.log(ending(child))`)
  t.same(lines, ['SIGKILL', 'SIGTERM'])
})

for (const threads of ['caller', 'the default']) {
  t.test(`a parent that has ended before the call counts (${threads})`, { skip: notLinux }, async (t) => {
    const options = threads === 'caller' ? 'caller' : ''
    const lines = await linesOf(`${prelude}
      prctl.setChildSubreaper(true)
      const grandparent = process.pid
      const parent = fork(${options})
      if (parent === 0) {
        const parentPid = process.pid
        const child = fork(${options})
        if (child !== 0) {
          tell(child)
          _exit(0)
        }
        while (getppid() === parentPid) {} // until the parent has ended and been waited for
        prctl.setPdeathsig(0)
        prctl.setPdeathsig('SIGTERM')
        _exit(1)
      }
      ending(parent)
      const [child] = toldUntilEnd()
      console.log(ending(Number(child)))`)
    t.same(lines, ['SIGTERM'])
  })
}

t.test('the signal is a signal: its handler runs', { skip: notLinux }, async (t) => {
  const lines = await linesOf(`${prelude}
    prctl.setChildSubreaper(true)
    const parent = fork()
    if (parent === 0) {
      const child = fork()
      if (child !== 0) {
        tell(child)
        process.kill(process.pid, 'SIGKILL')
      }
      process.on('SIGUSR2', (signal) => process.exit(signal === 'SIGUSR2' ? 17 : 1))
      prctl.setPdeathsig('SIGUSR2') // before or after its parent's end
      setInterval(() => {}, 1000)
    } else {
      ending(parent)
      fs.closeSync(writeEnd)
      const buffer = Buffer.alloc(20)
      console.log(ending(Number(buffer.toString('utf8', 0, fs.readSync(readEnd, buffer)))))
    }`)
  t.same(lines, [17])
})

t.test('a subreaper adopts orphans, and reaps them as its own', { skip: notLinux }, async (t) => {
  const lines = await linesOf(`${prelude}
    prctl.setChildSubreaper(true)
    const [goOn, go] = pipe()
    const parent = posix_spawnp('sh', ['sh', '-c', '(read x <&3; exit 9) & echo $!; exit 3'], {
      fileActions: [{ action: 'dup2', fd: goOn, newFd: 60 }, { action: 'dup2', fd: writeEnd, newFd: 1 }, { action: 'dup2', fd: 60, newFd: 3 }],
    })
    console.log(ending(parent))
    const buffer = Buffer.alloc(20)
    const orphan = Number(buffer.toString('utf8', 0, fs.readSync(readEnd, buffer)))
    fs.writeSync(go, 'on\\n')
    const seen = wait()
    console.log(seen.pid === orphan, describeStatus(seen.status).code)
    try { wait() } catch ({ code }) { console.log(code) }`)
  t.same(lines, [3, 'true 9', 'ECHILD'])
})

t.test(
  'beside children of node:child_process it takes the orphans, and no child of theirs',
  { skip: notLinux },
  async (t) => {
    const lines = await linesOf(`${prelude}
    const { spawn } = require('node:child_process')
    prctl.setChildSubreaper(true)
    const nodes = spawn('cat').on('exit', (code) => console.log('cat', code))
    const parent = posix_spawnp('sh', ['sh', '-c', 'sleep 0 & exit 3'])
    const codes = [describeStatus(wait().status).code, describeStatus(wait().status).code]
    console.log(JSON.stringify(codes.sort()))
    nodes.stdin.end()`)
    t.same(lines, [[0, 3], 'cat 0'])
  },
)

t.test('what is switched off again adopts nobody', { skip: notLinux }, async (t) => {
  const lines = await linesOf(`${prelude}
    prctl.setChildSubreaper(true)
    prctl.setChildSubreaper(false)
    const parent = posix_spawnp('sh', ['sh', '-c', 'sleep 0 & exit 3'])
    console.log(ending(parent))
    try { wait() } catch ({ code }) { console.log(code) }`)
  t.same(lines, [3, 'ECHILD'])
})

t.test('a signal that there is not is EINVAL', { skip: notLinux }, async (t) => {
  for (const signal of [-1, 65, 1000]) {
    t.throws(() => prctl.setPdeathsig(signal), { name: 'PosixError', code: 'EINVAL', syscall: 'prctl' })
  }
})

t.test('neither is there on macOS', { skip: process.platform !== 'darwin' && 'it is, here' }, async (t) => {
  t.throws(() => prctl.setPdeathsig(15), { code: 'ENOSYS', syscall: 'prctl' })
  t.throws(() => prctl.setChildSubreaper(true), { code: 'ENOSYS', syscall: 'prctl' })
})

t.test('what is no signal, or no boolean, is refused', async (t) => {
  for (const value of [undefined, null, {}, true]) {
    t.throws(() => prctl.setPdeathsig(value as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const value of ['TERM', '', '15'])
    t.throws(() => prctl.setPdeathsig(value as never), { code: 'ERR_INVALID_ARG_VALUE' })
  for (const value of [1.5, Number.NaN, 2 ** 31])
    t.throws(() => prctl.setPdeathsig(value), { code: 'ERR_OUT_OF_RANGE' })
  for (const value of [undefined, null, 0, 1, 'yes']) {
    t.throws(() => prctl.setChildSubreaper(value as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.throws(() => {
    ;(prctl as { setPdeathsig: unknown }).setPdeathsig = 1
  }, TypeError)
  t.equal(
    (await runProgram('console.log(Object.keys(require("truefork").prctl).join())')).stdout,
    'setPdeathsig,setChildSubreaper\n',
  )
})
