// Programs that meet a hazard of fork.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { linesOf } from './fork'
import type { ProgramOptions } from './program'

// `told`: what forkHazards says of one hazard. `answers`: how forks go under each policy, and what is warned of.
// `moves`: whether a child ends by itself before long; it is killed else.
const prelude = `
const { forkHazards, kill, registerMutex, WNOHANG } = require('truefork')
const warnings = []
process.removeAllListeners('warning')
process.on('warning', ({ name, code }) => name === 'ForkHazardWarning' && warnings.push(code))
const told = (id, options) => {
  const { severity = 'none', detail = '', tid } = forkHazards(options).hazards.find((hazard) => hazard.id === id) ?? {}
  return { severity, detail, tid }
}
const answer = (options) => {
  try {
    const pid = fork(options)
    if (pid === 0) _exit(0)
    assert.strictEqual(ending(pid), 0)
    return 'forks'
  } catch (error) {
    if (error.code !== 'ERR_FORK_HAZARD') throw error
    return error.hazards.map(({ id, severity }) => id + ' ' + severity).join()
  }
}
const answers = async (id, options) => {
  const given = [{}, { accept: [id] }, { hazards: 'ignore' }, { hazards: 'warn' }].map((policy) => answer({ ...options, ...policy }))
  await new Promise((resolve) => setImmediate(resolve)) // warnings come by process.nextTick
  return [...given, warnings.splice(0).join()]
}
const sleep = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
const moves = (pid) => {
  for (let patience = 20; patience > 0; patience--) {
    const { pid: ended, status } = waitpid(pid, WNOHANG)
    if (ended === pid) return describeStatus(status)
    sleep(50)
  }
  kill(pid, 'SIGKILL')
  waitpid(pid)
  return 'hangs'
}
const say = (...values) => console.log(JSON.stringify(values))
`

/** What such a program says, each time a list. */
export function hazardLines(source: string, options?: ProgramOptions): Promise<unknown[]> {
  return linesOf(prelude + source, options)
}

/** What `answers` gives for each severity. */
export function answersFor(id: string, severity: 'fatal' | 'unsafe' | 'notice'): string[] {
  const refusal = `${id} ${severity}`
  if (severity === 'fatal') return [refusal, refusal, refusal, refusal, '']
  return severity === 'unsafe' ? [refusal, 'forks', 'forks', 'forks', id] : ['forks', 'forks', 'forks', 'forks', '']
}

/** A folder for this test alone. */
export function folderOf(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}
