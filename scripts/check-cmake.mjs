// Builds the addon by cmake-js and runs some tap tests of each part with that build.
import { compiledTests, filesBelow, isSample, listedSources } from './support/files.mjs'
import { packageCopy } from './support/package-copy.mjs'
import { root, run, tool } from './support/run.mjs'
import { tapTests } from './support/tap-tests.mjs'

const builds = [
  ['linux', 'x64'],
  ['linux', 'arm64'],
  ['darwin', 'arm64'],
]
// What is written but not listed would be built by neither.
const listed = new Set(builds.flatMap(([system, arch]) => listedSources(system, arch)))
const forgotten = filesBelow('native', ['.cc', '.S']).filter((path) => !listed.has(path))
if (forgotten.length > 0) {
  console.error(`binding.gyp doesn't list ${forgotten.join(', ')}`)
  process.exit(1)
}

const build = 'out/cmake-js'
run(process.execPath, [tool('cmake-js/bin/cmake-js'), 'build', '-O', `${root}/${build}`, '--log-level', 'error'])
const folder = packageCopy('check-cmake', { 'build/Release/truefork.node': `${build}/Release/truefork.node` })
const files = compiledTests().filter(isSample)
const { passed, failed } = tapTests({ folder, files })
console.log(`built by cmake-js: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
