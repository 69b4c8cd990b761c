// What Node read once and keeps is the child's own: pids, seeds, stocks of random numbers. Each check is also made on a
// child that nothing was mended in, and must fail there.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { linesOf, withoutAllThreads } from './support/fork'
import { root, runNode } from './support/program'

const skip = withoutAllThreads
const bare = `
  const { binding } = require(${JSON.stringify(join(root, 'dist', 'binding.js'))})
  const bareFork = () => binding.fork(true, -1, false, [], false)[0]
`

// What a process draws: [what is prepared before the fork, an expression]. Each must differ between parent and child.
const draws: Record<string, [before: string, draw: string]> = {
  'Math.random': ['', 'Math.random()'],
  'Math.random after it has been drawn from': ['for (let i = 0; i < 100; i++) Math.random()', 'Math.random()'],
  'Math.random of a context made by vm.createContext': [
    `const vm = require('node:vm')`,
    `vm.runInContext('Math.random()', vm.createContext())`,
  ],
  'Math.random of a context made by vm.runInNewContext': [
    `const vm = require('node:vm')`,
    `vm.runInNewContext('Math.random()')`,
  ],
  'Math.random of a context made by node:vm as it is first loaded after the fork': [
    '',
    `require('node:vm').runInNewContext('Math.random()')`,
  ],
  'Math.random of a context made by a script': [
    `const script = new (require('node:vm').Script)('Math.random()')`,
    'script.runInNewContext()',
  ],
  'crypto.randomUUID': [`const crypto = require('node:crypto'); crypto.randomUUID()`, 'crypto.randomUUID()'],
  'webcrypto.randomUUID': [`crypto.randomUUID()`, 'crypto.randomUUID()'],
  'crypto.randomInt': [`const crypto = require('node:crypto'); crypto.randomInt(2 ** 40)`, 'crypto.randomInt(2 ** 40)'],
  'process.pid': ['', 'process.pid'],
  'the pid that child_process tells its program': [
    '',
    `require('node:child_process').execFileSync('sh', ['-c', 'echo $PPID'], { encoding: 'utf8' })`,
  ],
}

// What V8 or the kernel looks after already, without any mend.
const ownAnyway: Record<string, [before: string, draw: string]> = {
  'crypto.randomBytes': [
    `const crypto = require('node:crypto'); crypto.randomBytes(8)`,
    `crypto.randomBytes(16).toString('hex')`,
  ],
  'crypto.getRandomValues': [
    'crypto.getRandomValues(new Uint8Array(8))',
    'String(crypto.getRandomValues(new Uint8Array(16)))',
  ],
  'a generated key': [
    `const crypto = require('node:crypto')`,
    `crypto.generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).toString('hex')`,
  ],
  'process.ppid': ['process.ppid', 'process.ppid'],
}

/** Draws in a child, its child and its parent. Returns how many of the three draws are different. */
async function different(fork: string, before: string, draw: string): Promise<number> {
  const lines = await linesOf(`${bare}
    ${before}
    const print = () => console.log(JSON.stringify(${draw}))
    const pid = ${fork}()
    if (pid === 0) {
      const grandchild = ${fork}()
      if (grandchild !== 0) assert.strictEqual(ending(grandchild), 0)
      print()
      _exit(0)
    }
    assert.strictEqual(ending(pid), 0)
    print()
  `)
  if (lines.length !== 3) throw new Error(`${lines.length} draws: ${lines.join()}`)
  return new Set(lines).size
}

for (const [what, [before, draw]] of Object.entries(draws)) {
  t.test(`${what} differs in parent, child and grandchild`, { skip }, async (t) => {
    t.equal(await different('fork', before, draw), 3)
  })
}

// The kernel tells these pids, mended or not.
const neverStale = ['the pid that child_process tells its program']
for (const [what, [before, draw]] of Object.entries(draws).filter(([what]) => !neverStale.includes(what))) {
  t.test(`${what} would be the same in a child that nothing was mended in`, { skip }, async (t) => {
    t.equal(await different('bareFork', before, draw), 1)
  })
}

for (const [what, [before, draw]] of Object.entries(ownAnyway)) {
  t.test(`${what} differs by itself`, { skip }, async (t) => {
    t.equal(await different('fork', before, draw), 3)
    t.equal(await different('bareFork', before, draw), 3)
  })
}

for (const [when, before] of [
  ['before the fork', `const { runInNewContext } = await import('node:vm')`],
  ['after it', ''],
] as const) {
  t.test(
    `an ES module that imports node:vm ${when} gets contexts with a Math.random of their own`,
    { skip },
    async (t) => {
      const source = `
      import { fork, waitpid } from '${pathToFileURL(join(root, 'dist', 'index.mjs'))}'
      ${before}
      const pids = [fork(), fork()]
      ${before === '' ? `const { runInNewContext } = await import('node:vm')` : ''}
      console.log(runInNewContext('Math.random()'))
      if (pids[1] > 0) waitpid(pids[1])`
      const { stdout, stderr } = await runNode(['--input-type=module', '-e', source])
      const numbers = stdout.trim().split('\n')
      t.same([numbers.length, new Set(numbers).size, stderr], [4, 4, ''])
    },
  )
}

t.test('node:vm is the same in the parent after a fork, if it had it before', { skip }, async (t) => {
  const lines = await linesOf(`
    const vm = require('node:vm')
    const { createContext, runInNewContext, Script } = vm
    const same = () => [vm.createContext === createContext, vm.runInNewContext === runInNewContext]
    const pid = fork()
    if (pid === 0) { console.log(JSON.stringify(same())); process.exit(0) }
    waitpid(pid)
    console.log(JSON.stringify(same()))`)
  t.same(lines, [
    [false, false],
    [true, true],
  ])
})

// V8 seeds the generator of a context once, and nothing reaches it afterwards: docs/hazards.md says so.
const outOfReach: Record<string, [before: string, draw: string]> = {
  'a reference to Math.random of before the fork': ['const { random } = Math; random()', 'random()'],
  'Math.random of a context of before the fork': [
    `const vm = require('node:vm'); const context = vm.createContext(); vm.runInContext('Math.random()', context)`,
    `vm.runInContext('Math.random()', context)`,
  ],
  'Math.random of a context of a Proxy, whose traps nobody but the program sets off,': [
    `const vm = require('node:vm')
    const drawBehindProxy = () => {
      const handler = { getOwnPropertyDescriptor() { throw new Error('asked') } }
      const context = vm.createContext(new Proxy({}, handler))
      delete handler.getOwnPropertyDescriptor
      return vm.runInContext('Math.random()', context)
    }`,
    'drawBehindProxy()',
  ],
}

for (const [what, [before, draw]] of Object.entries(outOfReach)) {
  t.test(`${what} goes on with the parent's numbers`, { skip }, async (t) => {
    t.equal(await different('fork', before, draw), 1)
  })
}

t.test(
  "a child that signals process.pid signals itself, and a bare one's signal hits its parent",
  { skip },
  async (t) => {
    const program = (fork: string): string => `${bare}
    const parent = process.pid
    process.on('SIGUSR2', () => {})
    const lifeline = setInterval(() => {}, 1000)
    const pid = ${fork}()
    const handled = require('node:events').once(process, 'SIGUSR2').then(() => console.log('handled by the', pid === 0 ? 'child' : 'parent'))
    if (pid === 0) {
      process.kill(process.pid, 'SIGUSR2')
      if (process.pid === parent) _exit(0)
      handled.then(() => _exit(0))
    } else {
      waitpid(pid)
      setImmediate(() => setImmediate(() => process.exit(0)))
    }
  `
    t.same(await linesOf(program('fork')), ['handled by the child'])
    t.same(await linesOf(program('bareFork')), ['handled by the parent'])
  },
)

t.test('process.ppid is the parent, and follows when that ends', { skip }, async (t) => {
  const lines = await linesOf(`
    const { pipe } = require('truefork')
    const middle = fork()
    if (middle === 0) {
      const own = process.pid
      const pid = fork()
      if (pid !== 0) for (;;) fs.readSync(pipe()[0], Buffer.alloc(1)) // until it is killed
      const before = process.ppid === own
      process.kill(own, 'SIGKILL')
      while (process.ppid === own);
      console.log(before, process.ppid !== process.pid)
      _exit(0)
    }
    console.log(ending(middle))
  `)
  t.same(lines.sort(), ['SIGKILL', 'true true'])
})
