// Makes the prebuilt addon, installs the packed package elsewhere without a compiler's help, and uses it.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installedPackage } from './support/installed-package.mjs'
import { root, run, status, tool } from './support/run.mjs'

const program = `
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as imported from 'truefork'

const required = createRequire(import.meta.url)('truefork')
assert.equal(imported.PosixError, required.PosixError)

const spawned = imported.posix_spawnp('sh', ['sh', '-c', 'exit 7'])
assert.deepEqual(imported.describeStatus(imported.waitpid(spawned).status), { kind: 'exited', code: 7 })

const forked = imported.fork({ threads: 'caller', hazards: 'ignore' })
if (forked === 0) imported.execv('/bin/sh', ['sh', '-c', 'exit 8'])
assert.deepEqual(imported.describeStatus(imported.waitpid(forked).status), { kind: 'exited', code: 8 })

assert.throws(() => imported.execv('/nonexistent', ['x']), { code: 'ENOENT', syscall: 'execve' })
console.log('the prebuilt addon forks, spawns, executes and waits')
`

rmSync(join(root, 'prebuilds'), { recursive: true, force: true })
run(process.execPath, [tool('prebuildify/bin.js'), '--napi', '--strip', '--tag-libc'], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
const folder = installedPackage()
try {
  writeFileSync(join(folder, 'program.mjs'), program)
  const env = { ...process.env, PREBUILDS_ONLY: '1' }
  process.exitCode = status(process.execPath, ['program.mjs'], { cwd: folder, env })
} finally {
  rmSync(folder, { recursive: true, force: true })
}
