// Every example, run as its reader would, and what it prints.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { kill } from 'truefork'
import { statusField } from './support/process-state'
import { root, runNode } from './support/program'

t.setTimeout(180_000) // many programs, on a busy machine

/** Compares lines with patterns, one each, and returns the number that each pattern caught. */
function caughtNumbers(t: Test, lines: readonly string[], patterns: readonly RegExp[]): number[] {
  t.equal(lines.length, patterns.length, `prints ${patterns.length} lines`)
  return patterns.map((pattern, index) => {
    t.match(lines[index], pattern)
    return Number(pattern.exec(lines[index] ?? '')?.[1])
  })
}

/** True until a process has ended. An orphan may stay a zombie: to reap it is process 1's task. */
function isRunning(pid: number): boolean {
  try {
    kill(pid, 0)
    return !statusField('State', readFileSync(`/proc/${pid}/status`, 'utf8')).startsWith('Z')
  } catch (error) {
    if (['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false // EPERM: another's pid
    return process.platform !== 'linux' // no /proc: kill has said that it is there
  }
}

/** A hang is ended by the test's time limit. */
async function allEnded(pids: readonly number[]): Promise<void> {
  while (pids.some(isRunning)) await sleep(10)
}

/** Without what Node's inspector tells there. */
const withoutInspector = (text: string): string => text.replace(/^(Debugger |For help, see: ).*\n/gm, '')

/** The lines of one process, where several write at once. */
const inOrder = (lines: readonly string[], own: RegExp): string[] => lines.filter((line) => own.test(line))

const distinct = (values: Iterable<unknown>): number => new Set(values).size

// What each prints.
const checks: Readonly<Record<string, (t: Test, lines: string[]) => void | Promise<void>>> = {
  '01-three-results'(t, [refusal, ...lines]) {
    t.equal(refusal, 'fork threw a ForkHazardError with the code ERR_FORK_HAZARD: there is no child')
    const [child, returned] = caughtNumbers(t, lines, [
      /^fork returned 0: this is the child, process (\d+)$/,
      /^fork returned (\d+): this is its parent, process \d+$/,
    ])
    t.equal(returned, child, 'what fork returned is the child')
    t.not(Number(/\d+$/.exec(lines[1] ?? '')), child, 'and the parent is another process')
  },

  '02-five-children'(t, lines) {
    const [, parent, children] = /^parent: I am (\d+), my children were (.*)$/.exec(lines.pop() ?? '') ?? []
    const pids = children?.split(' ') ?? []
    t.equal(distinct(pids), 5)
    t.same(lines.sort(), pids.map((pid, index) => `child ${index + 1}: I am ${pid}, my parent is ${parent}`).sort())
  },

  async '03-shared-stdout'(t, [first, ...lines]) {
    t.match(first, /^parent \(\d+\) ends$/)
    t.equal(lines.length, 30)
    for (let child = 1; child <= 10; child++) {
      const own = lines.filter((line) => line.startsWith(`child ${child} `))
      const pid = /\((\d+)\)/.exec(own[0] ?? '')?.[1]
      t.same(
        own,
        [1, 2, 3].map((count) => `child ${child} (${pid}) counts ${count}`),
        'each in its own order',
      )
    }
    const pids = new Set(lines.map((line) => Number(/\((\d+)\)/.exec(line)?.[1])))
    t.equal(pids.size, 10)
    await allEnded([...pids])
  },

  '04-wait-for-all'(t, lines) {
    const pids = caughtNumbers(t, lines, [
      /^child (\d+) exited with 10$/,
      /^child (\d+) exited with 20$/,
      /^child (\d+) exited with 30$/,
      /^child (\d+) exited with 40$/,
      /^child (\d+) was ended by SIGKILL$/,
      /^parent (\d+) ends last$/,
    ])
    t.equal(distinct(pids), 6)
  },

  '05-fork-exec'(t, lines) {
    const pids = caughtNumbers(
      t,
      lines,
      ['one', 'two', 'three'].flatMap((word) => [
        new RegExp(`^program ${word}: I am (\\d+), my parent is \\d+$`),
        /^parent \d+: fork returned (\d+), and \1 ended with 0$/,
      ]),
    )
    t.equal(distinct(pids), 3, 'fork and the program agree about three pids')
    t.same([pids[0], pids[2], pids[4]], [pids[1], pids[3], pids[5]])
    t.equal(distinct(lines.map((line) => /parent (?:is )?(\d+)/.exec(line)?.[1])), 1, 'one parent')
  },

  '06-exec-flavours'(t, lines) {
    const flavours = ['execv', 'execve', 'execvp', 'execvpe', 'execl', 'execle', 'execlp', 'execlpe', 'fexecve']
    const pids = caughtNumbers(
      t,
      lines,
      flavours.map((name) => {
        if (name === 'fexecve' && process.platform === 'darwin') return /^PosixError: ENOSYS: .*, fexecve$/
        const environment = name.endsWith('e') ? 'an environment of its own' : "its parent's environment"
        return new RegExp(`^${name} ran process (\\d+) with ${environment}$`)
      }),
    )
    t.equal(distinct(pids), 9)
  },

  '07-shared-offset'(t, lines) {
    const [before, child, after] = caughtNumbers(t, lines, [
      /^parent (\d+), before fork$/,
      /^child (\d+)$/,
      /^parent (\d+), after the child$/,
    ])
    t.equal(before, after)
    t.not(child, before)
  },

  '08-spawn-shares-nothing'(t, lines) {
    t.same(lines, [
      'parent: the word is set by the parent, the file is open as 100',
      'child, not handed over: the word is never set',
      'child, not handed over: writing to 100 failed with EBADF',
      'child, handed over: the word is never set',
      'child, handed over: writing to 101 succeeded',
      'parent: the file holds "parent\\nchild\\n"',
    ])
  },

  '09-memory'(t, lines) {
    t.same(lines, ['forked child: the number is 999', 'spawned child: the number is 777', 'parent: the number is 999'])
  },

  '10-signal-to-oneself'(t, lines) {
    const [signaled, reaped] = caughtNumbers(t, lines, [
      /^child (\d+): sending SIGINT to myself$/,
      /^parent: child (\d+) was ended by SIGINT$/,
      /^parent: still here after kill, and the handler has not run yet$/,
      /^parent: the handler ran for SIGINT$/,
    ])
    t.equal(signaled, reaped)
  },

  '11-zombies'(t, lines) {
    const [ended, reaped, ...served] = caughtNumbers(t, lines, [
      /^child (\d+) has ended and is still there$/,
      /^child (\d+) is reaped and gone \(ESRCH\)$/,
      ...Array.from({ length: 5 }, () => /^reaped (\d+), which is gone \(ESRCH\)$/),
    ])
    t.equal(ended, reaped)
    t.equal(distinct(served), 5)
  },

  '12-prefork-server'(t, [first, ...lines]) {
    t.match(first, /^parent \d+ forked \d+ \d+ \d+ \d+ and accepts nothing itself$/)
    const workers = first?.match(/\d+/g)?.slice(1) ?? []
    t.equal(distinct(workers), 4)
    t.same(lines, [
      ...workers.map((pid) => `worker ${pid} answered requests`),
      'strangers that answered: 0',
      ...workers.map((pid) => `worker ${pid} ended: {"kind":"signaled","signal":"SIGTERM","core":false}`),
    ])
  },

  '13-inherited-descriptors'(t, lines) {
    t.same(lines, [
      'child: 100 is a socket, its other end not here, FD_CLOEXEC not set',
      'child: 110 is a pipe, its other end not here, FD_CLOEXEC not set',
      'parent: opened and still open: 110 is a pipe, its other end not here, FD_CLOEXEC not set',
      'parent: closed 0, changed 0',
    ])
  },

  '14-pass-a-listener'(t, lines) {
    const [parent, child, ...rest] = lines
    t.match(parent, /^parent \d+ listens: listening$/)
    t.match(child, /^child \d+ received 1 descriptor with the words "port <number>"$/)
    const [answered, ended] = caughtNumbers(t, rest, [
      /^answer from process (\d+)$/,
      /^child (\d+) ended: \{"kind":"exited","code":0\}$/,
    ])
    t.equal(answered, ended)
    t.equal(answered, Number(/^child (\d+)/.exec(child ?? '')?.[1]))
  },

  '15-shell'(t, lines) {
    t.same(lines, ['HELLO SHELL', '/', 'a command is missing', 'no such job'])
  },

  '16-supervisor'(t, lines) {
    caughtNumbers(t, lines, [
      /^supervisor (\d+)$/,
      /^service 1 started as (\d+)$/,
      /^SIGTERM: stopping$/,
      /^service 1 ended: {"kind":"signaled","signal":"SIGTERM","core":false}$/,
      /^nobody is left$/,
    ])
  },

  '17-debug-a-child'(t, lines) {
    t.same(lines, [
      'debugger: work stopped, number is 20',
      'parent: the child stands still, and I have gone 10 rounds',
      'debugger: one step further, doubled is 1000',
      'child: work(20) is 1000, as the debugger wants it',
      'parent: the child ended: {"kind":"exited","code":0}',
    ])
  },

  '18-forking-server'(t, lines) {
    const [server, ...children] = caughtNumbers(t, inOrder(lines, /^client/), [
      /^client: \/ has answer from process (\d+), request 1 of its memory$/,
      /^client: \/ has answer from process (\d+), request 1 of its memory$/,
      /^client: \/crash has no answer: socket hang up$/,
      /^client: \/ has answer from process (\d+), request 1 of its memory$/,
    ])
    t.equal(distinct([server, ...children]), 4, 'a process for each request')
    t.match(lines[0], /^server \d+ listens$/)
    t.ok(lines.includes('child: this request is a bad one'))
    t.equal(lines.at(-1), 'server ended: {"kind":"signaled","signal":"SIGTERM","core":false}')
  },

  '19-worker-recycling'(t, lines) {
    t.same(inOrder(lines, /^parent/), [
      'parent: a worker was ended by SIGKILL, and is replaced',
      'parent: the client is done, and the last 2 workers have ended',
    ])
    const [, workers, most] = caughtNumbers(t, inOrder(lines, /^client/), [
      /^client: a worker died with the request$/,
      /^client: 30 answers from (\d+) workers$/,
      /^client: at most (\d) by one of them$/,
    ])
    t.ok(Number(workers) >= 6)
    t.ok(Number(most) <= 5)
  },

  '20-background-snapshot'(t, lines) {
    const [size, transfers, written] = caughtNumbers(t, lines, [
      /^the heap had (\d+) MB, and the fork kept us [\d.]+ ms$/,
      /^the child ended: {"kind":"exited","code":0}; meanwhile we made (\d+) transfers$/,
      /^the file has (\d+) accounts of \1$/,
      /^its balances are those at the fork: true$/,
      /^and not ours any more: true$/,
    ])
    t.ok(Number(size) >= 10 && Number(transfers) >= 1000 && Number(written) >= 10_000)
  },

  '21-warm-test-runner'(t, lines) {
    t.same(lines, [
      'ok a-leaves-things-behind.js',
      'ok b-finds-nothing-of-it.js',
      'not ok c-fails.js',
      '   AssertionError [ERR_ASSERTION]: one and one are three',
      '2 of 3 passed',
    ])
  },

  '22-process'(t, lines) {
    const pids = caughtNumbers(t, lines, [
      /^fork: child (\d+) found 777 and made it 787$/,
      /^fork: ForkProcess-1 was (\d+) and ended with 0; here it is still 777$/,
      /^spawn: child (\d+) found 1 and made it 11$/,
      /^spawn: SpawnProcess-2 was (\d+) and ended with 0; here it is still 777$/,
      /^forkserver: child (\d+) found 1 and made it 11$/,
      /^forkserver: ForkServerProcess-3 was (\d+) and ended with 0; here it is still 777$/,
    ])
    t.same([pids[0], pids[2], pids[4]], [pids[1], pids[3], pids[5]])
    t.equal(distinct(pids), 3)
  },

  '23-spawn-attribute-error'(t, lines) {
    t.same(lines, [
      'spawn local: exit code 1',
      'the child has found its target',
      'spawn exported: exit code 0',
      'the child has a copy of its target',
      'fork local: exit code 0',
    ])
  },

  '24-lock-on-its-way'(t, lines) {
    t.same(lines.slice(0, 3), [
      'fork: 2 children counted to 400',
      'spawn: 2 children counted to 400',
      'forkserver: 2 children counted to 400',
    ])
    t.match(lines[3], /^Queue: .*\bLock\b/)
    t.match(lines[4], /^Queue: .*callback/)
    t.equal(lines.length, 5)
  },

  '25-pool-map'(t, lines) {
    t.same(lines.slice(0, 3), [
      'squares: 1 4 9 16 25 36 49 64 81',
      'by this process: false',
      'by at most 3 others: true',
    ])
    t.match(lines[3], /-1 is too small/)
    t.equal(lines.length, 4)
  },

  tour(t, lines) {
    const steps = lines.filter((line) => /^\d+\. /.test(line))
    t.equal(lines.at(-1), `All ${steps.length} steps hold on this machine.`)
    t.same(
      steps.map((line) => Number.parseInt(line, 10)),
      steps.map((_line, index) => index + 1),
    )
    const [, parent, child] = /parent (\d+): fork returned (\d+)/.exec(lines.join('\n')) ?? []
    t.ok(lines.includes(`   child ${child}: fork returned 0, getppid says ${parent}`))
    t.ok(lines.includes('   child: found 777, made it 999'))
    t.ok(lines.includes('   parent: still has 777'))
    t.ok(lines.includes("   PosixError: ENOENT: no such file or directory, posix_spawn '/no/such/program'"))
  },
}

// What the examples are given that want something.
const inputs: Readonly<Record<string, string>> = {
  '15-shell': 'echo "hello shell" | tr a-z A-Z\ncd /\npwd\n|\nfg\nexit 0\n',
}
const words: Readonly<Record<string, readonly string[]>> = {
  '16-supervisor': ['kill -TERM $PPID; exec sleep 600'],
  '20-background-snapshot': ['20'],
}

// What a child's end is told by.
const errors: Readonly<Record<string, RegExp>> = {
  '23-spawn-attribute-error': /AttributeError: Can't get attribute 'local' on module '.*23-spawn-attribute-error\.js'/,
}

// It ends before its children, which is its lesson.
const endsFirst = '03-shared-stdout'
const childless = join(__dirname, 'examples', 'childless.js')

for (const [name, check] of Object.entries(checks)) {
  t.test(`${name} prints what it teaches, and no process of it remains`, async (t) => {
    const preload = name === endsFirst ? [] : ['--require', childless]
    const { code, signal, stdout, stderr } = await runNode(
      [...preload, join('out', 'examples', `${name}.js`), ...(words[name] ?? [])],
      { input: inputs[name] ?? '' },
    )
    t.same({ code, signal }, { code: 0, signal: null })
    t.match(withoutInspector(stderr), errors[name] ?? /^$/)
    await check(t, stdout.trimEnd().split('\n'))
  })
}

t.test('every example has its check, and opens with a comment on what it teaches', async (t) => {
  const files = readdirSync(join(root, 'examples'))
    .filter((file) => file.endsWith('.ts'))
    .sort()
  t.same(
    files.map((file) => basename(file, '.ts')),
    Object.keys(checks),
  )
  for (const file of files) t.match(readFileSync(join(root, 'examples', file), 'utf8'), /^\/\/ \S/, file)
})
