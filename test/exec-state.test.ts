// What Node changes in its process for itself: a new program doesn't see it, and after an exec that failed it is
// all there again.
import { join } from 'node:path'
import t from 'tap'
import { O_NONBLOCK } from 'truefork'
import { singleThreaded } from './support/fork'
import { onLoad, withoutCompiler } from './support/native'
import { signalSets } from './support/process-state'
import { type ProgramOptions, runProgram } from './support/program'
import { listDescriptors } from './support/shell'
import { runInTerminal, withoutTerminal } from './support/terminal'

const notLinux = process.platform !== 'linux' && 'only Linux has /proc'

// In scope of every program here. state() is all that an exec touches; failToExec() says how it failed.
const prelude = `
  const fs = require('node:fs')
  Object.assign(globalThis, require('truefork'))
  const say = (...words) => fs.writeSync(1, words.join(' ') + '\\n')
  const signals = () => fs.readFileSync('/proc/self/status', 'utf8').match(/^Sig(Blk|Ign|Cgt):.*$/gm)
  const flags = () => [0, 1, 2].map((fd) => fcntl(fd, F_GETFD) + ':' + fcntl(fd, F_GETFL))
  const descriptors = () => fs.readdirSync('/proc/self/fd')
  const state = () => JSON.stringify([signals(), flags(), descriptors()])
  function failToExec() {
    const calls = [
      () => execv('/nonexistent', ['x']),
      () => execvp('no-such-program', ['x']),
      () => fexecve(0, ['x'], {}),
    ]
    return calls.map((call) => { try { call() } catch ({ code }) { return code } }).join(' ')
  }
`

async function outputOf(program: string, options?: ProgramOptions): Promise<string> {
  const { stdout, stderr, code, signal } = await runProgram(`${prelude}${program}`, options)
  if (stderr !== '' || code !== 0) throw new Error(`ended with ${code ?? signal}: ${stderr}`)
  return stdout
}

t.test('the program ignores and blocks no signal', { skip: notLinux }, async (t) => {
  const stdout = await outputOf(`say(signals()[1]); execvp('cat', ['cat', '/proc/self/status'])`)
  const [before = '', ...status] = stdout.split('\n')
  t.match(before, /^SigIgn:.*1...$/, 'Node ignores SIGPIPE')
  const { SigBlk, SigIgn } = signalSets(status.join('\n'))
  t.equal(SigIgn, 0n)
  t.equal(SigBlk, 0n)
})

t.test(
  'what somebody else had ignored is reset too, and stays ignored if exec fails',
  { skip: withoutCompiler },
  async (t) => {
    const ignore = onLoad(t.testdir({}), ['signal.h'], 'signal(SIGUSR2, SIG_IGN); signal(SIGCHLD, SIG_IGN);')
    const stdout = await outputOf(`${ignore}
    const before = state()
    failToExec()
    say(state() === before)
    process.kill(process.pid, 'SIGUSR2')
    execvp('cat', ['cat', '/proc/self/status'])`)
    const [same, ...status] = stdout.split('\n')
    t.equal(same, 'true')
    t.equal(signalSets(status.join('\n')).SigIgn, 0n)
  },
) // fork.signals-15

t.test('the program writes to a broken pipe and dies of SIGPIPE', async (t) => {
  const stdout = await outputOf(
    `
    const [readEnd, writeEnd] = pipe()
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      dup2(writeEnd, 1)
      fs.closeSync(readEnd)
      execvp('yes', ['yes'])
    }
    fs.closeSync(readEnd)
    say(JSON.stringify(describeStatus(waitpid(pid).status)))`,
    singleThreaded,
  )
  t.same(JSON.parse(stdout), { kind: 'signaled', signal: 'SIGPIPE', core: false })
})

t.test('0-2 are blocking to the program, though Node has made them otherwise', { skip: notLinux }, async (t) => {
  const stdout = await outputOf(`
    process.stdin.on('data', () => {}).pause()
    process.stdout
    process.stderr
    say(flags().map((text) => Number(text.split(':')[1]) & O_NONBLOCK).join(','))
    execvp('sh', ['sh', '-c', 'for fd in 0 1 2; do grep flags /proc/$$/fdinfo/$fd; done'])`)
  const [before, ...after] = stdout.trim().split('\n')
  t.match(before, String(O_NONBLOCK), 'at least one was non-blocking')
  t.equal(after.length, 3)
  for (const line of after) t.equal(Number.parseInt(line.replace(/\D/g, ''), 8) & O_NONBLOCK, 0)
})

t.test('the program has 0-2 and no descriptor of Node its own', { skip: notLinux }, async (t) => {
  const exec = `execvp('sh', ['sh', '-c', ${JSON.stringify(listDescriptors)}, 'sh', '100'])`
  t.equal(await outputOf(`fs.openSync('/dev/null'); ${exec}`), '0\n1\n2\n')
  t.equal(await outputOf(`dup2(0, 95); ${exec}`), '0\n1\n2\n95\n')
  t.equal(await outputOf(`fs.closeSync(0); ${exec}`), '1\n2\n')
}) // spawn-51

t.test('after an exec that failed, signals, flags and descriptors are as before', { skip: notLinux }, async (t) => {
  const stdout = await outputOf(`
    process.stdin.on('data', () => {})
    process.on('SIGUSR2', () => {})
    setTimeout(() => {
      const before = state()
      say(failToExec())
      say(state() === before)
      process.exit()
    }, 10)`)
  t.equal(stdout, 'ENOENT ENOENT EACCES\ntrue\n')
}) // exec-35

t.test('after an exec that failed the process goes on', async (t) => {
  const stdout = await outputOf(`
    const { execFileSync, spawn } = require('node:child_process')
    say(failToExec())
    say(execFileSync('echo', ['execFileSync']).toString().trim())
    const [readEnd, writeEnd] = pipe()
    fs.closeSync(readEnd)
    try { fs.writeSync(writeEnd, 'x') } catch ({ code }) { say(code) }
    process.on('SIGUSR2', (signal) => {
      say(signal)
      fs.promises.readFile('/dev/null').then(() => say('thread pool'))
    })
    spawn('sh', ['-c', 'exit 3']).on('exit', (code) => {
      say('exit', code)
      setTimeout(() => process.kill(process.pid, 'SIGUSR2'), 10)
    })
    process.stdin.on('end', () => say('end of input')).resume()
    new (require('node:worker_threads').Worker)('1', { eval: true }).on('exit', (code) => say('Worker', code))`)
  const [first, second, third, ...rest] = stdout.trim().split('\n')
  t.same([first, second, third], ['ENOENT ENOENT EACCES', 'execFileSync', 'EPIPE'])
  t.same(new Set(rest), new Set(['exit 3', 'SIGUSR2', 'thread pool', 'end of input', 'Worker 0']))
}) // exec-35, exec-39

t.test('a signal that comes to a child after its exec has failed runs its handler', async (t) => {
  const stdout = await outputOf(`
    const pid = fork()
    if (pid === 0) {
      process.on('SIGUSR1', () => process.exit(0))
      setInterval(() => {}, 1000)
      failToExec()
      kill(getppid(), 'SIGUSR2')
    } else {
      process.on('SIGUSR2', () => {
        kill(pid, 'SIGUSR1')
        say(waitpid(pid).status)
        process.exit()
      })
      setInterval(() => {}, 1000)
    }`)
  t.equal(stdout, '0\n')
}) // fork.hazard-16

t.test('a child that has closed the descriptors of Node gets a clean error of exec', async (t) => {
  const stdout = await outputOf(
    `
    // Only what is open: catching many errors makes V8 wake the loop, which aborts when its eventfd is closed.
    const open = fs.readdirSync('/proc/self/fd').map(Number).filter((fd) => fd > 2 && fs.existsSync('/proc/self/fd/' + fd))
    const pid = fork({ threads: 'caller' })
    if (pid === 0) {
      for (const fd of open) fs.closeSync(fd)
      try { execvp('no-such-program', ['x']) } catch ({ code }) { say(code) }
      _exit(5)
    }
    say(describeStatus(waitpid(pid).status).code)`,
    singleThreaded,
  )
  t.equal(stdout, 'ENOENT\n5\n')
}) // fork.fd-09

const modes = `
  const { execFileSync } = require('node:child_process')
  const stty = () => execFileSync('stty', ['-a'], { stdio: ['inherit', 'pipe', 'inherit'] }).toString()
  const mode = () => (stty().includes('-icanon') ? 'raw' : 'cooked')
`

t.test('the program gets the terminal as Node found it', { skip: withoutTerminal }, async (t) => {
  const { stdout, code } = await runInTerminal(`${prelude}${modes}
    process.stdin.setRawMode(true)
    say(mode())
    execvp('stty', ['stty', '-a'])`)
  t.equal(code, 0)
  t.match(stdout, /^raw\n/)
  t.match(stdout, /[^-]icanon/)
  t.match(stdout, /[^-]echo /)
})

t.test('after an exec that failed a raw terminal is raw still', { skip: withoutTerminal }, async (t) => {
  const { stdout, code } = await runInTerminal(`${prelude}${modes}
    process.stdin.setRawMode(true)
    const before = state()
    const told = failToExec()
    const after = [state() === before, mode()] // in this order: mode() starts a program, which Node remembers
    process.stdin.setRawMode(false)
    after.push(mode())
    process.stdin.setRawMode(true)
    failToExec()
    process.stdin.setRawMode(false)
    say(told, ...after, mode())
    process.stdin.setRawMode(true)
    failToExec()
    execvp('sh', ['sh', '-c', 'stty -a | grep -c -e -icanon'])`)
  t.equal(stdout, 'ENOENT ENOENT EACCES true raw cooked cooked\n0\n')
  t.equal(code, 1, 'the code of grep that found nothing')
}) // exec-35

t.test('a program keeps the working directory and the umask', async (t) => {
  const directory = t.testdir({ inner: {} })
  const stdout = await outputOf(`
    process.chdir(${JSON.stringify(join(directory, 'inner'))})
    process.umask(0o051)
    execvp('sh', ['sh', '-c', 'basename $(pwd); umask'])`)
  t.equal(stdout, 'inner\n0051\n')
}) // spawn-46
