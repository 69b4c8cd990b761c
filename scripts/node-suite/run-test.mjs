// Runs one test of Node's once, directly or forked.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killAll, processesOf, stacksOf } from './processes.mjs'

/** After so many milliseconds a test hangs. */
const limits = { direct: 60_000, forked: 120_000 }

/** So long may what a test started outlive it, in milliseconds. */
const grace = 2_000

let serial = 0

/**
 * Runs a test in processes, a session and a temporary folder of its own.
 *
 * @param test of testsOf
 * @param mode 'direct' or 'forked'
 * @param place folders: { tree: Node's, judged: this package's, results: for output }
 * @param mayLeave so many processes may outlive it
 * @returns its verdict ('passed', 'skipped', 'failed', 'hung'), why, where its output is, the milliseconds it took and
 *   the number of processes that outlived it
 */
export async function runTest(test, mode, { tree, judged, results }, mayLeave) {
  const preload = join(judged, 'scripts', 'node-suite', 'preload.cjs')
  const id = `${process.pid}.${++serial}`
  const mark = `TEST_SERIAL_ID=${id}`
  mkdirSync(results, { recursive: true })
  const log = join(results, `${test.name}.${mode}.${id}.log`)
  const output = openSync(log, 'a')
  const start = performance.now()
  const child = spawn(process.execPath, ['-r', preload, ...permissions(test, judged), ...test.flags, test.file], {
    cwd: tree,
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...ownEnv(), TEST_SERIAL_ID: id, TEST_THREAD_ID: id, TEST_PARALLEL: '1', TRUEFORK_NODE_SUITE: mode },
  })
  closeSync(output)
  const rest = () => processesOf(child.pid, mark)
  let hung = false
  const watchdog = setTimeout(() => {
    hung = true
    writeFileSync(`${log}.stacks`, rest().map(stacksOf).join('\n'))
    killAll(rest)
  }, limits[mode])
  const [code, signal] = await once(child, 'exit')
  clearTimeout(watchdog)
  const ms = Math.round(performance.now() - start)
  const left = await leftRunning(rest)
  rmSync(join(tree, 'test', `.tmp.${id}`), { recursive: true, force: true, maxRetries: 3 })
  const outcome = { mode, ms, log, left, ...verdictOf({ hung, code, signal, left, mayLeave, log, mode }) }
  if (outcome.verdict === 'passed' || outcome.verdict === 'skipped') rmSync(log)
  return outcome
}

function verdictOf({ hung, code, signal, left, mayLeave, log, mode }) {
  if (hung) return { verdict: 'hung', why: `no end within ${limits[mode]} ms` }
  if (code !== 0) return { verdict: 'failed', why: signal ?? `exit code ${code}` }
  if (left > mayLeave) return { verdict: 'failed', why: `${left} processes outlive it` }
  if (!/^1\.\.0 # Skipped/m.test(readFileSync(log, 'latin1'))) return { verdict: 'passed', why: '' }
  return { verdict: mode === 'forked' ? 'failed' : 'skipped', why: 'it skips itself' }
}

/** Waits for what a test has started, and ends it: how many processes it had to end. */
async function leftRunning(find) {
  const end = performance.now() + grace
  while (find().length > 0 && performance.now() < end) await sleep(100)
  const left = find().length
  killAll(find)
  return left
}

/** What a test of the permission model must allow for this package to be loaded at all. */
function permissions({ flags }, judged) {
  return flags.includes('--experimental-permission') ? ['--allow-addons', `--allow-fs-read=${judged}/*`] : []
}

/** This environment without what npm and Node's own options put there. */
function ownEnv() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|INIT_CWD$)/i.test(name)))
}
