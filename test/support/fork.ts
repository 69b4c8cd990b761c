// Programs that fork, each in a Node of its own.
import { join } from 'node:path'
import { type Outcome, type ProgramOptions, root, runProgram } from './program'

const { binding } = require(join(root, 'dist', 'binding.js')) as { binding: { whyNotAllThreads(): string | null } }

/** Why a child can't have all threads here, or false. */
export const withoutAllThreads: string | false = binding.whyNotAllThreads() ?? false

/** Node as it must be started for a child of fork({ threads: 'caller' }) that lives long. */
export const singleThreaded: ProgramOptions = { nodeOptions: ['--single-threaded', '--v8-pool-size=0'] }

// `caller`: for a child that ends soon. `ending`: waits for a child, and is how it ended.
const prelude = `
const assert = require('node:assert')
const fs = require('node:fs')
const { _exit, describeStatus, fork, wait, waitpid } = require('truefork')
const caller = { threads: 'caller', hazards: 'ignore' }
function ending(pid) {
  const { code, signal } = describeStatus(waitpid(pid).status)
  return code ?? signal
}
`

/**
 * runProgram, with what such programs need at hand. One that forks by `caller` runs without V8's threads: its child may
 * come to collect garbage at any allocation, and would wait for threads that it hasn't got.
 */
export function runForking(source: string, options: ProgramOptions = {}): Promise<Outcome> {
  const needed = source.includes('fork(caller') ? (singleThreaded.nodeOptions ?? []) : []
  const nodeOptions = [...new Set([...needed, ...(options.nodeOptions ?? [])])]
  return runProgram(prelude + source, { ...options, nodeOptions })
}

/** Runs a program that ends well, and returns what it wrote by console.log(JSON.stringify(...)), line by line. */
export async function linesOf(source: string, options?: ProgramOptions): Promise<unknown[]> {
  const { code, signal, stdout, stderr } = await runForking(source, options)
  if (code !== 0) throw new Error(`the program ended with ${code ?? signal}:\n${stdout}\n${stderr}`)
  return stdout.split('\n').filter(Boolean).map(parsed)
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}
