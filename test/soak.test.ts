// A short form of the soak: children of a busy parent do whatever a Node process does. At length: npm run soak.
import t from 'tap'
import { forkHazards } from 'truefork'
import { runNode } from './support/program'

const missing = forkHazards({ threads: 'all' }).hazards.find(({ id }) => id === 'threads-not-kept')
const skip = missing === undefined ? false : missing.detail

t.setTimeout(600_000)

async function soak(...args: string[]): Promise<{ code: number | null; output: string }> {
  const { code, stdout, stderr } = await runNode(['--expose-gc', 'out/test/soak/main.js', ...args], {
    timeoutMs: 280_000,
  })
  return { code, output: stdout + stderr }
}

t.test('each of twenty forks from a busy parent does what it should, whatever that is', { skip }, async (t) => {
  const { code, output } = await soak('--forks', '20', '--seed', '1')
  t.equal(code, 0, output)
  t.comment(output)
})

t.test('each link of a chain of forks is whole', { skip }, async (t) => {
  const { code, output } = await soak('--chain', '20')
  t.equal(code, 0, output)
  t.comment(output)
})

t.test('a thousand forks leave nothing behind', { skip }, async (t) => {
  const { code, output } = await soak('--leaks', '--forks', '1000')
  t.equal(code, 0, output)
  t.comment(output)
})

t.test('Processes and Pool tasks, some of them killed, come to an end each', { skip }, async (t) => {
  const { code, output } = await soak('--multiprocessing', '--processes', '100', '--tasks', '5000', '--seed', '1')
  t.equal(code, 0, output)
  t.comment(output)
})
