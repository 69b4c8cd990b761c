import { mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { umask } from 'truefork'
import { capture } from './support/child'
import { runProgram } from './support/program'

t.beforeEach((t) => {
  const before = process.umask()
  t.teardown(() => process.umask(before))
})

t.test('umask sets the mask and returns the previous one', async (t) => {
  const before = process.umask()
  t.equal(umask(0o027), before)
  t.equal(process.umask(), 0o027)
  t.equal(umask(0), 0o027)
  t.equal(umask(before), 0)
})

t.test('only the bits of permissions count', async (t) => {
  umask(0o7777)
  t.equal(umask(-1), 0o777)
  t.equal(umask(0o4000), 0o777)
  t.equal(umask(0), 0)
})

t.test('new files get what it leaves, those of children as well', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  umask(0o137)
  openSync(join(directory, 'own'), 'w', 0o777)
  capture(['sh', '-c', 'umask; : > "$1"', 'sh', join(directory, 'child')])
  t.equal(statSync(join(directory, 'own')).mode & 0o777, 0o640)
  t.equal(statSync(join(directory, 'child')).mode & 0o777, 0o640)
  t.equal(process.umask(), 0o137)
}) // spawn-46

t.test('a Worker sets it for the whole process', async (t) => {
  const { stdout, stderr } = await runProgram(`
    process.umask(0o022)
    const { Worker } = require('node:worker_threads')
    const source = "require('node:worker_threads').parentPort.postMessage(require('truefork').umask(0o077))"
    new Worker(source, { eval: true }).on('message', (previous) => console.log(previous, process.umask()))`)
  t.equal(stderr, '')
  t.equal(stdout, `${0o022} ${0o077}\n`)
})
