// Programs whose children are no copies of them: they import their functions from a module beside the program.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Outcome, root, runNode } from '../../support/program'

/** The start methods of such children. */
export const importing = ['spawn', 'forkserver'] as const

const prelude = `
const fs = require('node:fs')
const mp = require('truefork/multiprocessing')
const { compareFdTables, fdTable } = require('truefork')
const functions = require('./functions.cjs')
const say = (...values) => fs.writeSync(1, JSON.stringify(values.length === 1 ? values[0] : values) + '\\n')
const range = (count) => Array.from({ length: count }, (_, index) => index)
const errorOf = (promise) => promise.then((value) => ({ value }), (error) => error)
// Node sets flags of 0-2, which it gives back in the end.
const table = () => fdTable().filter(({ fd }) => fd > 2)
// What watches for a child's end is closed by the event loop, which may be after join.
const tableAs = async (before) => {
  while (compareFdTables(before, table()).text !== '') await new Promise((resolve) => setTimeout(resolve, 5))
}
const thrownBy = (call) => { try { return { value: call() } } catch (error) { return error } }
`

/**
 * Runs a program under a start method.
 *
 * @param functions the source of the module that its children import, of CommonJS; in the program it is `functions`
 * @param source the body of an asynchronous function
 */
export function runUnder(t: Test, method: string, functions: string, source: string): Promise<Outcome> {
  const folder = t.testdir({ 'functions.cjs': functions, node_modules: { truefork: t.fixture('symlink', root) } })
  const program = join(folder, 'program.cjs')
  writeFileSync(program, `${prelude}mp.setStartMethod('${method}')\n;(async () => {\n${source}\n})()\n`)
  return runNode([program], { timeoutMs: 60_000 })
}

/** As runUnder, of a program that ends well. @returns what it says, line by line */
export async function saidUnder(...program: Parameters<typeof runUnder>): Promise<unknown[]> {
  const { code, signal, stdout, stderr } = await runUnder(...program)
  if (code !== 0) throw new Error(`the program ended with ${code ?? signal}:\n${stdout}\n${stderr}`)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown)
}
