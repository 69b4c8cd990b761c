// Node's own tests as judges: every one that passes directly has to pass in a forked child, too.
// See docs/node-suite.md for what the numbers mean.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runTest } from './node-suite/run-test.mjs'
import { nodeTree, testsOf } from './node-suite/tree.mjs'
import { packageCopy } from './support/package-copy.mjs'
import { root } from './support/run.mjs'

const usage = `npm run judge -- [--suite folder] [--jobs n] [--sample n] [--only regex] [--out folder]
  --suite   the folder of Node's tests; default: parallel
  --jobs    so many tests at a time; default: one for each processor
  --sample  every nth test only
  --only    the tests whose name matches
  --out     where logs, stacks and results.json go, below out/; default: node-suite`

const options = {
  suite: { type: 'string', default: 'parallel' },
  jobs: { type: 'string', default: String(cpus().length) },
  sample: { type: 'string', default: '1' },
  only: { type: 'string', default: '' },
  out: { type: 'string', default: 'node-suite' },
}

/** Of the tests that pass directly, this share may fail forked, each for a reason we know; one may in a small sample. */
const bearable = 0.001

/** If a larger share fails directly, something is amiss that has nothing to do with a fork. */
const tooMany = 0.25

const { suite, jobs, sample, only, out } = readOptions()
const explained = JSON.parse(readFileSync(join(root, 'scripts/node-suite/explained.json'), 'utf8'))
const tree = await nodeTree()
const judged = copyOfPackage()
const results = join(root, 'out', out, 'logs')
rmSync(results, { recursive: true, force: true })
const place = { tree, judged, results }
const start = performance.now()
const tests = testsOf(tree, suite)
  .filter((_, index) => index % sample === 0)
  .filter(({ name }) => only.test(name))
  .map((test) => ({ ...test, direct: [], forked: [] }))

await inParallel(tests, jobs, async (test) => {
  await once(test, 'direct')
  if (passed(test.direct.at(-1))) await once(test, 'forked')
})
// One at a time, what failed: it may have been in the way of another.
for (const test of tests) {
  if (test.direct.every(failed)) await once(test, 'direct')
  if (passed(test.direct.at(-1)) && test.forked.length === 0) await once(test, 'forked')
}
for (const test of tests.filter(({ forked }) => forked.some(failed))) {
  for (let i = 0; i < 3; i++) await once(test, 'direct')
  for (let i = 0; i < 2; i++) await once(test, 'forked')
}
process.exitCode = report() ? 0 : 1

/** What is judged mustn't change while it is, nor what it needs: the loader of addons. */
function copyOfPackage() {
  const addon = 'build/Release/truefork.node'
  const folder = packageCopy(join(out, 'package'), { [addon]: addon })
  const loader = join('node_modules', 'node-gyp-build')
  rmSync(join(folder, 'node_modules'))
  cpSync(join(root, loader), join(folder, loader), { recursive: true })
  return folder
}

function readOptions() {
  try {
    const { values } = parseArgs({ options })
    const only = new RegExp(values.only)
    const [jobs, sample] = [values.jobs, values.sample].map(Number)
    if (!(jobs >= 1 && sample >= 1)) throw new RangeError('--jobs and --sample take a number of at least 1')
    return { ...values, jobs, sample, only }
  } catch (error) {
    console.error(`${error.message}\n${usage}`)
    process.exit(2)
  }
}

async function once(test, mode) {
  // Some tests leave processes behind by themselves.
  const mayLeave = mode === 'direct' ? Infinity : Math.max(...test.direct.map(({ left }) => left))
  const outcome = await runTest(test, mode, place, mayLeave)
  test[mode].push(outcome)
  if (failed(outcome)) console.log(`${outcome.verdict} ${mode}: ${test.name} (${outcome.why})`)
}

async function inParallel(items, jobs, work) {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: jobs }, worker))
}

function passed({ verdict }) {
  return verdict === 'passed'
}

function failed({ verdict }) {
  return verdict === 'failed' || verdict === 'hung'
}

function counts({ direct, forked }) {
  const share = (runs) => `${runs.filter(passed).length} of ${runs.length}`
  return `forked ${share(forked)}, directly ${share(direct)}`
}

/** Prints the result; true if it is good. */
function report() {
  const counted = tests.filter(({ forked }) => forked.length > 0)
  const bad = counted.filter(({ forked }) => forked.some(failed))
  const hung = bad.filter(({ forked }) => forked.some(({ verdict }) => verdict === 'hung'))
  // One failure of three is a flake; a hang never is.
  const flaky = bad.filter((test) => !hung.includes(test) && test.forked.filter(passed).length === 2)
  const lost = bad.filter((test) => !hung.includes(test) && !flaky.includes(test))
  const unexplained = lost.filter(({ name }) => explained[name] === undefined)
  const failDirectly = tests.filter(({ direct }) => direct.every(failed))
  const share = (counted.length - lost.length - hung.length) / counted.length
  writeFileSync(join(results, '..', 'results.json'), JSON.stringify(tests, null, 1))
  console.table({
    tests: tests.length,
    'skip themselves': tests.filter(({ direct }) => direct.some(({ verdict }) => verdict === 'skipped')).length,
    'fail directly': failDirectly.length,
    'pass directly': counted.length,
    'pass forked': counted.length - lost.length - hung.length,
    'of these flaky': flaky.length,
    'fail forked': lost.length,
    'of these explained': lost.length - unexplained.length,
    'hang forked': hung.length,
  })
  for (const test of flaky) console.log(`flaky: ${test.name}: ${counts(test)}`)
  for (const test of lost) {
    console.log(`failed forked: ${test.name}: ${counts(test)}; ${explained[test.name] ?? 'unexplained'}`)
  }
  for (const test of hung) console.log(`hung forked: ${test.name}: ${counts(test)}`)
  const minutes = ((performance.now() - start) / 60_000).toFixed(1)
  console.log(`${(100 * share).toFixed(2)} % of those that pass directly pass forked; ${minutes} minutes, ${jobs} jobs`)
  if (failDirectly.length > tooMany * tests.length) {
    console.log('too many fail directly for the rest to tell anything')
    return false
  }
  return (
    counted.length > 0 &&
    hung.length === 0 &&
    unexplained.length === 0 &&
    lost.length <= Math.max(1, bearable * counted.length)
  )
}
