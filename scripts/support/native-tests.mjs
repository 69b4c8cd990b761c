// The C++ unit tests, by CMake and ctest.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { capture, root, status } from './run.mjs'

const build = 'out/native'

/** Builds and runs them, and counts the test programs. */
export function nativeTests() {
  if (!existsSync(join(root, 'test/native/CMakeLists.txt'))) return { passed: 0, failed: 0, skipped: 0 }
  if (status('sh', ['-c', 'command -v cmake'], { stdio: 'ignore' }) !== 0) {
    console.log('skipped: the native unit tests, as there is no cmake here')
    return { passed: 0, failed: 0, skipped: 1 }
  }
  const options = ['-DTRUEFORK_TESTS=ON', '-DCMAKE_BUILD_TYPE=Debug', '--log-level=WARNING']
  const built =
    status('cmake', ['-S', '.', '-B', build, ...options]) === 0 &&
    status('cmake', ['--build', build, '--parallel', '2']) === 0
  if (!built) return { passed: 0, failed: 1, skipped: 0 }
  const { status: failure, stdout } = capture('ctest', ['--test-dir', build, '--output-on-failure'])
  process.stdout.write(stdout)
  const results = [...stdout.matchAll(/ Test +#\d+: \S+ \.* *(\**)(\w+)/g)].map(([, , result]) => result)
  const [passed, skipped] = ['Passed', 'Skipped'].map((name) => results.filter((result) => result === name).length)
  return { passed, skipped, failed: Math.max(results.length - passed - skipped, failure === 0 ? 0 : 1) }
}
