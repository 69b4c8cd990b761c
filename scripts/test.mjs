// The tests: of the types, of the native code by itself, and tap's. The last line tells all.
// Arguments: the suites to run; default: all.
import { nativeTests } from './support/native-tests.mjs'
import { tapTests } from './support/tap-tests.mjs'
import { typeTests } from './support/type-tests.mjs'

const suites = { types: typeTests, native: nativeTests, tap: tapTests }
const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(suites)

const sum = { passed: 0, failed: 0, skipped: 0 }
for (const name of chosen) {
  const result = suites[name]()
  for (const key of Object.keys(sum)) sum[key] += result[key]
}
console.log(`${sum.passed} passed, ${sum.failed} failed${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''}`)
process.exitCode = sum.failed === 0 ? 0 : 1
