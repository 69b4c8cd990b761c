// Runs the compiled tests, with the one addon that was built, on every release of Node that we support.
// --short leaves out those that repeat themselves for long, and shares out among the releases those that hardly hang on one.

import { arch, platform } from 'node:os'
import { join } from 'node:path'
import { compiledTests, isLong, isOfEachNode } from './support/files.mjs'
import { npmPackage } from './support/npm-package.mjs'
import { tapTests } from './support/tap-tests.mjs'

const releases = ['20.20.2', '22.23.3', '24.21.0', '26.10.0']

// This Node's own release line is what `npm test` runs on.
const major = (version) => version.split('.')[0]
const others = releases.filter((release) => major(release) !== major(process.versions.node))

const all = compiledTests()
const brief = all.filter((path) => !isLong(path))
const shared = brief.filter((path) => !isOfEachNode(path))
const isShort = process.argv.includes('--short')

function filesFor(turn) {
  if (!isShort) return all
  return brief.filter((path) => isOfEachNode(path) || shared.indexOf(path) % others.length === turn)
}

const rows = others.map((release, turn) => {
  console.log(`\nNode ${release}`)
  const node = join(npmPackage(`node-${platform()}-${arch()}`, release), 'bin', 'node')
  return { node: release, ...tapTests({ node, files: filesFor(turn) }) }
})
console.table(rows)
process.exitCode = rows.some(({ failed }) => failed > 0) ? 1 : 0
