import { spawnSync } from 'node:child_process'
import { platform } from 'node:os'
import t from 'tap'
import { linesOf, runForking, singleThreaded } from './support/fork'
import { imageBy } from './support/process-state'

const onLinux = platform() === 'linux' ? false : 'V8 marks its heap MADV_DONTFORK on Linux only'

// The heap grows and shrinks all the time, so the marked ranges are compared within a stretch that allocates little.
const marks = `
  const marks = () => {
    const ranges = []
    let range
    for (const line of fs.readFileSync('/proc/self/smaps', 'latin1').split('\\n')) {
      if (/^[0-9a-f]+-/.test(line)) range = line.split(' ')[0]
      else if (line.startsWith('VmFlags:') && / dc( |$)/.test(line)) ranges.push(range)
    }
    return ranges
  }
  const same = (one, other) => one.filter((range) => other.includes(range)).length / one.length
`

t.test("V8's heap is marked again after a fork, in the parent and in the child", { skip: onLinux }, async (t) => {
  const [child, [before, parent]] = (await linesOf(`${marks}
    marks()
    const before = marks()
    const pid = fork(caller)
    const share = same(before, marks())
    if (pid === 0) { console.log(share); _exit(0) }
    waitpid(pid)
    console.log(JSON.stringify([before.length, share]))
  `)) as [number, [number, number]]
  t.ok(before > 3, `${before} ranges are marked`)
  // A page of the heap may come or go in between.
  t.ok(parent > 0.8, `${parent} of them are again in the parent`)
  t.ok(child > 0.8, `${child} of them are again in the child`)
})

const asNobody = process.getuid?.() === 0 ? false : 'only root can become a user whose processes are limited'
const withoutPrlimit = spawnSync('prlimit', ['--version']).status === 0 ? asNobody : 'no prlimit (util-linux) here'

t.test(
  'where no process may be made fork says EAGAIN and leaves the parent whole',
  { skip: withoutPrlimit },
  async (t) => {
    const lines = await linesOf(`${marks}
    process.setgid(65534)
    process.setuid(65534) // nobody
    const before = marks()
    require('node:child_process').execFileSync('prlimit', ['--pid', process.pid, '--nproc=0:'])
    for (let i = 0; i < 3; i++) {
      try {
        if (fork(caller) === 0) _exit(1)
      } catch ({ name, code, syscall, errno, message }) {
        console.log(JSON.stringify([name, code, syscall, errno, message]))
      }
    }
    console.log(same(before, marks()) > 0.8)
    try { wait() } catch ({ code }) { console.log(code) }
    setTimeout(() => console.log('alive'), 1)
  `)
    const refusal = ['PosixError', 'EAGAIN', 'fork', -11, 'EAGAIN: resource temporarily unavailable, fork']
    t.same(lines, [refusal, refusal, refusal, true, 'ECHILD', 'alive'])
  },
)

t.test('memory that V8 has given back and others have taken is copied to every child', { skip: onLinux }, async (t) => {
  // Of a Buffer's 300 MB the mapping is found by its size, in the place where WebAssembly's gigabytes were.
  const [marked, answer] = await linesOf(
    `
    const forkOnce = () => {
      const pid = fork(caller)
      if (pid === 0) _exit(0)
      assert.strictEqual(waitpid(pid).status, 0)
    }
    let memory = new WebAssembly.Memory({ initial: 1, maximum: 1000 })
    forkOnce()
    memory = undefined
    setTimeout(() => {
      gc()
      const kept = Buffer.alloc(300 << 20, 1)
      forkOnce()
      const mappings = fs.readFileSync('/proc/self/smaps', 'latin1').split(/^(?=[0-9a-f]+-)/m)
      const large = mappings.filter((mapping) => Number(/^Rss: +([0-9]+)/m.exec(mapping)[1]) >= 300 << 10)
      console.log(JSON.stringify(large.map((mapping) => / dc( |$)/m.test(mapping))))
      console.log(require('node:child_process').execFileSync('echo', [String(kept[1])], { encoding: 'utf8' }))
    }, 50)
  `,
    { nodeOptions: ['--expose-gc'] },
  )
  t.same([marked, answer], [[false], 1])
})

t.test('two thousand forks leave nothing behind', { skip: onLinux }, async (t) => {
  const { stdout, stderr } = await runForking(
    `
    ${imageBy('VmRSS')}
    const pids = new Set()
    const turns = (count) => {
      for (let i = 0; i < count; i++) {
        const pid = fork(caller)
        if (pid === 0) _exit(0)
        assert.strictEqual(waitpid(pid).status, 0)
        if (pids.size < 1000) { assert.ok(!pids.has(pid)); pids.add(pid) }
      }
    }
    turns(200) // the heap grows to its working size
    const before = image()
    turns(1800)
    const after = image()
    try { wait() } catch ({ code }) { console.log(JSON.stringify([code, before, after])) }
  `,
    { nodeOptions: ['--expose-gc', ...(singleThreaded.nodeOptions ?? [])], timeoutMs: 60_000 },
  )
  t.not(stdout, '', stderr)
  const [code, before, after] = JSON.parse(stdout)
  t.equal(code, 'ECHILD')
  t.equal(after.descriptors, before.descriptors)
  t.equal(after.threads, before.threads)
  // V8 maps and unmaps pages of its heap as it collects: a leak of one a fork would be 1800.
  t.ok(Math.abs(after.mappings - before.mappings) < 100, `mappings ${before.mappings}, then ${after.mappings}`)
  // A leak of 16 kilobytes a fork would be 28 megabytes.
  t.ok(after.kilobytes - before.kilobytes < 16_384, `kilobytes ${before.kilobytes}, then ${after.kilobytes}`) // fork.basic-10
})
