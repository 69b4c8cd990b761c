// `truefork doctor`, run as its users do.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { diagnose } from 'truefork'
import { sleeping } from './support/child'
import { type Outcome, root, runNode } from './support/program'
import { runInTerminal, withoutTerminal } from './support/terminal'

const cli = join(root, 'dist', 'cli.js')
const doctor = (args: readonly string[], env: Record<string, string | undefined> = {}): Promise<Outcome> =>
  runNode([cli, ...args], { env: { NO_COLOR: undefined, FORCE_COLOR: undefined, ...env } })

/** What it prints under --json: docs/doctor.md has the shape. */
async function reportOf(...args: string[]) {
  const { code, stdout, stderr } = await doctor(['doctor', '--json', ...args])
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`)
  return { ...JSON.parse(stdout), stderr }
}

t.test('of this machine, and a plain Node', async (t) => {
  const { code, stdout, stderr } = await doctor(['doctor'])
  t.same({ code, stderr }, { code: 0, stderr: '' })
  for (const heading of ['This machine', 'Threads (', 'Descriptors (', 'Hazards of a fork', 'What a fork would cost']) {
    t.match(stdout, heading)
  }
  t.notMatch(stdout, '\x1b')

  const { machine, process: plain } = await reportOf()
  t.match(machine, { platform: process.platform, arch: process.arch, node: process.version })
  t.equal(machine.allThreads, machine.whyNotAllThreads === null)
  t.ok(machine.probes.length > 0)
  for (const { name, available, error } of machine.probes) t.equal(available, error === null, name)
  t.match(plain, { state: 'running', deadlocked: false, fork: null, hazards: [] })
  t.equal(plain.threads[0].role, 'main')
  t.ok(plain.threads.some(({ role }: { role: string }) => role === 'v8-worker'))
  t.same(
    plain.descriptors.slice(0, 3).map(({ fd }: { fd: number }) => fd),
    [0, 1, 2],
  )
  t.equal(plain.forkCost.measured, true)
  t.ok(plain.forkCost.fork > 0 && plain.forkCost.posixSpawn > 0)
})

t.test('of another process', async (t) => {
  const pid = sleeping(t)
  const { process: found } = await reportOf(String(pid))
  t.match(found, { pid, state: 'waiting', deadlocked: false, command: 'sleep 600', hazards: null })
  t.match(found.threads, [{ tid: pid, role: 'main', state: 'S', syscall: { name: /nanosleep$/ } }])
  t.match(found.descriptors[0], { fd: 0 })
  t.equal(found.forkCost.measured, false)
  t.ok(found.forkCost.fork > 0)
  t.equal(diagnose(pid).state, 'waiting')
})

t.test('of a command, which is ended afterwards with its children', async (t) => {
  const program = `
    console.log('written')
    const { pid } = require('node:child_process').spawn('sleep', ['600'])
    process.title = 'child-' + pid
    setInterval(() => {}, 1e6)
  `
  const { process: found, stderr } = await reportOf('--', process.execPath, '-e', program, 'word')
  t.match(found, { state: 'waiting', deadlocked: false })
  t.match(found.threads[0], { role: 'main', syscall: { name: /^epoll_/ } })
  t.ok(found.threads.some(({ role }: { role: string }) => role === 'v8-worker'))
  t.match(stderr, 'written')
  t.equal(existsSync(`/proc/${found.pid}`), false)
  const [, child] = /child-(\d+)/.exec(found.command) ?? []
  t.ok(child !== undefined)
  while (isAlive(Number(child))) await sleep(10) // it has been killed, and needs a moment to end
})

/** A process that is left to init may be a zombie for a moment. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

t.test('what it could not look at: exit code 1, and why', async (t) => {
  const failures: [args: string[], words: RegExp][] = [
    [['doctor', '2147483647'], /^truefork: ESRCH: no such process, /],
    [['doctor', '--', '/no/such/program'], /^truefork: ENOENT: no such file or directory, posix_spawn/],
    [['doctor', '--json', '--', 'sh', '-c', 'exit 3'], /^truefork: sh ended with exit code 3 before/],
    [['doctor', '--', 'sh', '-c', 'kill -TERM $$'], /^truefork: sh ended by SIGTERM before/],
  ]
  for (const [args, words] of failures) {
    const { code, stdout, stderr } = await doctor(args)
    t.same({ code, stdout }, { code: 1, stdout: '' }, args.join(' '))
    t.match(stderr, words)
  }
})

t.test('wrong arguments: exit code 2, and which', async (t) => {
  const wrong: [args: string[], words: string][] = [
    [[], 'what to do is missing'],
    [['nurse'], 'unknown argument: nurse'],
    [['doctor', '--jsn'], 'unknown argument: --jsn'],
    [['doctor', 'x1'], 'unknown argument: x1'],
    [['doctor', '-1'], 'unknown argument: -1'],
    [['doctor', '0'], 'no pid: 0'],
    [['doctor', '99999999999'], 'no pid: 99999999999'],
    [['doctor', '1', '2'], 'one pid'],
    [['doctor', '1', '--', 'true'], 'one pid'],
    [['doctor', '--'], 'no command'],
  ]
  const outcomes = await Promise.all(wrong.map(([args]) => doctor(args)))
  for (const [index, [args, words]] of wrong.entries()) {
    const { code, stdout, stderr } = outcomes[index] as Outcome
    t.same({ code, stdout }, { code: 2, stdout: '' }, args.join(' '))
    t.match(stderr, words)
    t.match(stderr, 'truefork --help')
  }
})

t.test('--help goes to standard output', async (t) => {
  const { code, stdout, stderr } = await doctor(['--help'])
  t.same({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /^Usage: truefork doctor/)
  t.match(stdout, 'Exit codes: 0')
})

t.test('colours go where they are wanted', async (t) => {
  const { wantsColour } = require(join(root, 'dist', 'doctor', 'print.js'))
  t.equal(wantsColour(true, {}), true)
  t.equal(wantsColour(undefined, {}), false)
  t.equal(wantsColour(true, { NO_COLOR: '1' }), false)
  t.equal(wantsColour(true, { NO_COLOR: '' }), true)
  t.equal(wantsColour(true, { TERM: 'dumb' }), false)
  t.equal(wantsColour(false, { FORCE_COLOR: '1', NO_COLOR: '1' }), true)
  t.equal(wantsColour(true, { FORCE_COLOR: '0' }), false)
  const { stdout } = await doctor(['doctor'], { FORCE_COLOR: '1' })
  t.match(stdout, '\x1b[1mThis machine\x1b[0m')
})

t.test('a terminal gets colours', { skip: withoutTerminal }, async (t) => {
  const program = `delete process.env.NO_COLOR; delete process.env.FORCE_COLOR; process.env.TERM = 'xterm'
    require('truefork').execv(process.execPath, [process.execPath, ${JSON.stringify(cli)}, 'doctor'])`
  t.match((await runInTerminal(program)).stdout, '\x1b[1mThis machine\x1b[0m')
})

t.test('the package has it for its bin', async (t) => {
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  t.same(bin, { truefork: './dist/cli.js' })
  t.match(readFileSync(cli, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ files }] = JSON.parse(packed)
  const paths = files.map(({ path }: { path: string }) => path)
  for (const path of ['dist/cli.js', 'dist/doctor/print.js', 'dist/safety/diagnose.js'])
    t.ok(paths.includes(path), path)
})
