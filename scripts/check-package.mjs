// Is the package sound for those who import it? publint reads package.json, attw resolves the types.
import { status, tool } from './support/run.mjs'

const checks = [
  [tool('publint/src/cli.js'), '--strict', '--pack', 'npm'],
  [tool('@arethetypeswrong/cli/dist/index.js'), '--pack', '.', '--profile', 'node16'],
]
const failures = checks.map((args) => status(process.execPath, args))
process.exitCode = Math.max(...failures)
