// A fork with all threads that fails leaves the parent as it was, and says which step failed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { linesOf, withoutAllThreads } from './support/fork'
import { onLoad, withoutCompiler } from './support/native'
import { root, runNode } from './support/program'

const skip = withoutAllThreads
const asRoot = process.getuid?.() === 0 ? skip : 'only root can become a user whose processes are limited'
const withPrlimit = spawnSync('prlimit', ['--version']).status === 0 ? skip : 'no prlimit (util-linux) here'

/**
 * `program(next)` runs next() with a Worker at work; `stayedWhole()` then checks that nothing of this process has changed
 * since, and that the Worker and the thread pool still answer.
 */
const wholeness = `
  const { Worker } = require('node:worker_threads')
  const echo = 'const { parentPort } = require("node:worker_threads"); parentPort.on("message", (text) => parentPort.postMessage(text))'
  const worker = new Worker(echo, { eval: true })
  const answer = () => new Promise((resolve) => { worker.once('message', resolve); worker.postMessage('x') })
  const names = (folder) => fs.readdirSync(folder).sort().join()
  const links = () => names('/proc/self/fd').split(',').map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd) } catch { return '' } }).join()
  const field = (name) => new RegExp('^' + name + ':.*$', 'm').exec(fs.readFileSync('/proc/self/status', 'utf8'))[0]
  const marks = () => fs.readFileSync('/proc/self/smaps', 'latin1').match(/^VmFlags:.* dc( |$)/gm).length
  const image = () => ({ descriptors: links(), threads: names('/proc/self/task'), mask: field('SigBlk'), limits: fs.readFileSync('/proc/self/limits', 'utf8') })
  let imageBefore, marksBefore
  async function begin() {
    await answer()
    await fs.promises.stat('/')
    imageBefore = image()
    marksBefore = marks()
  }
  async function stayedWhole() {
    assert.deepStrictEqual(image(), imageBefore)
    // V8 maps and unmaps pages of its heap in between, but never most of them.
    assert.ok(marks() > marksBefore / 2, marks() + ' ranges are marked, and were ' + marksBefore)
    assert.throws(wait, { code: 'ECHILD' })
    assert.strictEqual(await answer(), 'x')
    assert.ok((await fs.promises.stat('/')).isDirectory())
    await worker.terminate()
    console.log('whole')
  }
  const attempt = (options) => {
    try {
      const pid = fork(options)
      if (pid === 0) _exit(0)
      return ending(pid)
    } catch ({ name, code, syscall }) {
      return [name, code, syscall]
    }
  }
`

function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

/**
 * Runs a program as a user that nobody else is: the limit counts all processes and threads of a user. `limit` sets one,
 * and once only where it leaves no room for prlimit itself.
 */
async function linesOfUser(program: string): Promise<unknown[]> {
  const own = `
    const assert = require('node:assert'), fs = require('node:fs')
    const { _exit, describeStatus, fork, wait, waitpid } = require(${JSON.stringify(root)})
    const ending = (pid) => { const { code, signal } = describeStatus(waitpid(pid).status); return code ?? signal }
    const limit = (resource) => require('node:child_process').execFileSync('prlimit', ['--pid', process.pid, '--' + resource])
    ${wholeness}${program}`
  const { code, signal, stdout, stderr } = await runNode([
    '-e',
    `process.setgroups([])
    process.setgid(65534)
    process.setuid(100_000 + process.pid)
    require(${JSON.stringify(root)}).execv(process.execPath, [process.execPath, '-e', process.argv[1]])`,
    '--',
    own,
  ])
  if (code !== 0) throw new Error(`the program ended with ${code ?? signal}:\n${stdout}\n${stderr}`)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => (/^[[{\d]/.test(line) ? JSON.parse(line) : line))
}

const noRoom = ['PosixError', 'EAGAIN', 'clone']

t.test(
  'where no process may be made, fork says EAGAIN and the parent stays whole',
  { skip: asRoot || withPrlimit },
  async (t) => {
    const lines = await linesOfUser(`
    begin().then(() => {
      limit('nproc=1:')
      imageBefore = image()
      for (let i = 0; i < 5; i++) console.log(JSON.stringify(attempt()))
      return stayedWhole()
    })
  `)
    t.same(lines, [...Array(5).fill(noRoom), 'whole'])
  },
)

for (const missing of [1, 2, 'all']) {
  t.test(
    `where a child can't have ${missing} of its threads, fork says EAGAIN, no child is left and the parent stays whole`,
    { skip: asRoot || withPrlimit },
    async (t) => {
      // The limit can't be set twice, as prlimit is a process too.
      const lines = await linesOfUser(`
        begin().then(async () => {
          const own = fs.readdirSync('/proc/self/task').length
          limit('nproc=' + (${JSON.stringify(missing)} === 'all' ? own + 1 : own * 2 - ${JSON.stringify(missing)}) + ':')
          imageBefore = image()
          for (let i = 0; i < 5; i++) console.log(JSON.stringify(attempt()))
          await stayedWhole()
        })
      `)
      t.same(lines, [...Array(5).fill(noRoom), 'whole'])
    },
  )
}

t.test('a limit with room for exactly all threads is enough', { skip: asRoot || withPrlimit }, async (t) => {
  const lines = await linesOfUser(`
    begin().then(async () => {
      limit('nproc=' + fs.readdirSync('/proc/self/task').length * 2 + ':')
      imageBefore = image()
      console.log(attempt())
      await stayedWhole()
    })
  `)
  t.same(lines, [0, 'whole'])
})

/** A cgroup of our own that limits processes and threads, or why there is none. Removed at the end of the test. */
function cgroupOfPids(t: Test): { path: string } | { reason: string } {
  const parent = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].find((folder) => existsSync(join(folder, 'cgroup.procs')))
  if (parent === undefined) return { reason: 'no cgroups here' }
  const path = join(parent, `truefork-${process.pid}`)
  try {
    mkdirSync(path)
  } catch (error) {
    return { reason: `no cgroup can be made: ${(error as Error).message}` }
  }
  t.teardown(() => rmdirSync(path))
  return existsSync(join(path, 'pids.max')) ? { path } : { reason: 'the pids controller is not enabled here' }
}

t.test(
  'under every limit of a cgroup that is too low, fork says EAGAIN and the parent stays whole',
  { skip },
  async (t) => {
    const cgroup = cgroupOfPids(t)
    if ('reason' in cgroup) {
      t.pass('no such limit', { skip: cgroup.reason })
      return
    }
    const lines = await linesOf(
      `${wholeness}
    const cgroup = process.argv[1]
    begin().then(async () => {
      fs.writeFileSync(cgroup + '/cgroup.procs', String(process.pid))
      const own = fs.readdirSync('/proc/self/task').length
      const outcomes = []
      for (let room = 0; room <= own; room++) {
        fs.writeFileSync(cgroup + '/pids.max', String(own + room))
        outcomes.push(attempt())
      }
      const last = outcomes.pop()
      console.log(last, outcomes.length > 5, [...new Set(outcomes.map(String))].join('; '))
      await stayedWhole()
    })
  `,
      { args: [cgroup.path] },
    )
    t.same(lines, ['0 true PosixError,EAGAIN,clone', 'whole'])
  },
)

t.test('a process that has given up root forks', { skip: asRoot }, async (t) => {
  const lines = await linesOf(
    `
    process.setgroups([])
    process.setgid(65534)
    process.setuid(65534)
    const dumpable = () => fs.statSync('/proc/self/fdinfo').uid
    const before = dumpable()
    for (let i = 0; i < 3; i++) {
      const pid = fork()
      if (pid === 0) fs.stat('/', () => process.exit(process.getuid() === 65534 && dumpable() === before ? 4 : 5))
      else console.log(ending(pid))
      if (pid === 0) break
    }
    if (process.pid === parent) console.log(dumpable() === before)
  `.replace(/^/, 'const parent = process.pid\n'),
  )
  t.same(lines, [4, 4, 4, true])
})

t.test('where no memory can be mapped, fork says ENOMEM and the parent goes on', { skip }, async (t) => {
  // No Worker and no pool here: they need memory of their own. Nor is there a word to anybody under the limit.
  const lines = await linesOf(
    `
    const { getrlimit, setrlimit } = require('truefork')
    const attempt = () => {
      try { const pid = fork(); if (pid === 0) _exit(0); return ending(pid) } catch ({ name, code, syscall }) { return [name, code, syscall].join() }
    }
    assert.strictEqual(attempt(), 0)
    // malloc keeps these holes: Node, which ends where a few bytes fail it, is to find some.
    const kept = Array.from({ length: 200 }, () => Buffer.allocUnsafeSlow(64 << 10)).filter((_, index) => index % 2 === 0)
    gc()
    gc()
    const { soft, hard } = getrlimit('as')
    const bytes = Number(/VmSize:\\s*(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
    setrlimit('as', bytes, hard)
    const outcomes = Array.from({ length: 5 }, attempt)
    setrlimit('as', soft, hard)
    console.log(JSON.stringify(outcomes))
    console.log(attempt(), kept.length)
    assert.throws(wait, { code: 'ECHILD' })
  `,
    { nodeOptions: ['--expose-gc'] },
  )
  t.same(lines, [Array(5).fill('PosixError,ENOMEM,mmap'), '0 100'])
})

/** Runs a program under a limit of descriptors: `ulimit -n` sets both limits, `ulimit -Sn` the soft one. */
function underUlimit(ulimit: string, program: string): ReturnType<typeof runNode> {
  return runNode([
    '-e',
    `require(${JSON.stringify(root)}).execvp('sh', ['sh', '-c', ${JSON.stringify(`${ulimit}; exec "$0" -e "$1"`)}, process.execPath, process.argv[1]])`,
    '--',
    `const assert = require('node:assert'), fs = require('node:fs')
    const { _exit, describeStatus, fork, wait, waitpid } = require(${JSON.stringify(root)})
    const ending = (pid) => { const { code, signal } = describeStatus(waitpid(pid).status); return code ?? signal }
    ${wholeness}
    ${program}`,
  ])
}

const fillDescriptors = `
  const taken = []
  begin().then(async () => {
    try { for (;;) taken.push(fs.openSync('/dev/null')) } catch ({ code }) { assert.strictEqual(code, 'EMFILE') }
    const outcomes = [attempt(), attempt(), attempt()]
    for (const fd of taken) fs.closeSync(fd)
    console.log(JSON.stringify(outcomes))
    assert.strictEqual(attempt(), 0)
    await stayedWhole()
  })
`

t.test(
  'a descriptor table that is full to the hard limit is EMFILE, and the parent stays whole',
  { skip },
  async (t) => {
    const { stdout, stderr } = await underUlimit('ulimit -n 80', fillDescriptors)
    const [outcomes = '', whole] = stdout.split('\n')
    t.equal(whole, 'whole', stderr)
    const parsed = JSON.parse(outcomes) as [string, string, string][]
    t.same(
      parsed.map(([name, code]) => [name, code]),
      Array(3).fill(['PosixError', 'EMFILE']),
    )
    for (const [, , step] of parsed) t.match(step, /^[a-z_0-9]+$/)
  },
)

t.test('a descriptor table that is full to the soft limit is no hindrance', { skip }, async (t) => {
  // Node raises its soft limit to the hard one when it starts, so the program lowers its own.
  const lowered = `require('node:child_process').execFileSync('prlimit', ['--nofile=80:', '--pid', String(process.pid)])`
  const { stdout, stderr } = await underUlimit('true', `${lowered}\n${fillDescriptors}`)
  t.equal(stdout, '[0,0,0]\nwhole\n', stderr)
})

t.test('two hundred forks under a storm of signals make two hundred whole children', { skip }, async (t) => {
  const lines = await linesOf(
    `${wholeness}
    let handled = 0
    process.on('SIGUSR2', () => { handled++ })
    begin().then(async () => {
      // With lulls: V8's start since Node 26 measures the clock by a sleep that no signal may cut short for ever.
      const storm = require('node:child_process').spawn(process.execPath, ['-e', \`
        const lull = new Int32Array(new SharedArrayBuffer(4))
        for (let i = 1; ; i++) {
          process.kill(\${process.pid}, "SIGUSR2")
          if (i % 5000 === 0) Atomics.wait(lull, 0, 0, 20)
        }\`])
      while (handled === 0) await new Promise(setImmediate)
      const tally = {}
      for (let i = 0; i < 200; i++) {
        const outcome = String(attempt())
        tally[outcome] = (tally[outcome] ?? 0) + 1
        if (i % 10 === 0) await new Promise(setImmediate)
      }
      const ended = new Promise((resolve) => storm.on('close', resolve))
      storm.kill('SIGKILL')
      await ended
      console.log(JSON.stringify(tally), handled > 0)
      await stayedWhole()
    })
  `,
    { timeoutMs: 60_000 },
  )
  t.same(lines, ['{"0":200} true', 'whole'])
})

t.test(
  'a child that is killed while it is made is an error or a killed child, and the parent stays whole',
  { skip },
  async (t) => {
    const lines = await linesOf(
      `${wholeness}
    begin().then(async () => {
      const killer = require('node:child_process').spawn(process.execPath, ['-e', \`
        const children = '/proc/\${process.pid}/task/\${process.pid}/children'
        for (;;) for (const pid of require('node:fs').readFileSync(children, 'utf8').split(' ').filter(Boolean).map(Number)) {
          if (pid !== process.pid) try { process.kill(pid, 'SIGKILL') } catch {}
        }
      \`], { stdio: 'ignore' })
      const tally = {}
      const killed = () => (tally.SIGKILL ?? 0) + (tally['PosixError,ECHILD,clone'] ?? 0)
      // Until it has met enough of them.
      for (let i = 0; i < 300 || killed() < 20; i++) {
        const outcome = String(attempt())
        tally[outcome] = (tally[outcome] ?? 0) + 1
      }
      const ended = new Promise((resolve) => killer.on('close', resolve))
      killer.kill('SIGKILL')
      await ended
      const allowed = ['0', 'SIGKILL', 'PosixError,ECHILD,clone']
      console.log(Object.keys(tally).filter((outcome) => !allowed.includes(outcome)).join() || 'as allowed')
      await stayedWhole()
    })
  `,
      { timeoutMs: 60_000 },
    )
    t.same(lines, ['as allowed', 'whole'])
  },
)

t.test(
  "a thread that can't be stopped is named, and the parent stays whole",
  { skip: skip || withoutCompiler },
  async (t) => {
    const load = onLoad(
      folder(t),
      ['dlfcn.h', 'pthread.h', 'stdint.h', 'sys/prctl.h', 'sys/syscall.h', 'unistd.h'],
      `
    // process.dlopen closes what is no addon; the thread needs its code.
    Dl_info self;
    dladdr((void *)stubborn, &self);
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
    pthread_t thread;
    pthread_create(&thread, 0, stubborn, 0);`,
      `static void *stubborn(void *argument) {
        uint64_t all = ~0ULL;
        prctl(PR_SET_NAME, "stubborn");
        syscall(SYS_rt_sigprocmask, 2, &all, 0, sizeof all);
        for (;;) pause();
      }`,
    )
    const lines = await linesOf(`${load}${wholeness}
    const tid = () => fs.readdirSync('/proc/self/task').find((tid) => fs.readFileSync('/proc/self/task/' + tid + '/comm', 'utf8') === 'stubborn\\n')
    const blocks = () => tid() !== undefined && /SigBlk:\\s*f{8}/.test(fs.readFileSync('/proc/self/task/' + tid() + '/status', 'utf8'))
    begin().then(async () => {
      while (!blocks());
      imageBefore = image()
      for (const options of [{}, { hazards: 'ignore' }, { accept: ['unstoppable-thread'] }]) {
        try { fork(options); console.log('forked') } catch ({ name, code, hazards: [hazard, ...more] }) {
          console.log(JSON.stringify([name, code, hazard.id, hazard.severity, hazard.tid === Number(tid()), hazard.detail.includes('stubborn'), more.length]))
        }
      }
      await stayedWhole()
      process.exit(0)
    })
  `)
    const refusal = ['ForkHazardError', 'ERR_FORK_HAZARD', 'unstoppable-thread', 'fatal', true, true, 0]
    t.same(lines, [refusal, refusal, refusal, 'whole'])
  },
)
