// Builds the native code with AddressSanitizer and UndefinedBehaviorSanitizer, and runs the C++ tests and a short soak
// so: any report ends the process that makes it, and so the run. Arguments: rounds of the soak, default 3.
import { packageCopy } from './support/package-copy.mjs'
import { capture, root, run, tool } from './support/run.mjs'

const rounds = process.argv[2] ?? '3'
const options = ['-DTRUEFORK_SANITIZE=address,undefined', '-DCMAKE_BUILD_TYPE=RelWithDebInfo']
const addon = 'out/sanitized-addon'
const tests = 'out/sanitized-tests'

function build() {
  const forAddon = options.map((option) => `--C${option.slice(1)}`)
  run(process.execPath, [tool('cmake-js/bin/cmake-js'), 'build', '-O', `${root}/${addon}`, ...forAddon, '-l', 'error'])
  run('cmake', ['-S', '.', '-B', tests, '-DTRUEFORK_TESTS=ON', ...options, '--log-level=WARNING'])
  run('cmake', ['--build', tests, '--parallel', '2'])
}

// What Node itself leaves behind at its end is no concern of ours.
const env = {
  ...process.env,
  ASAN_OPTIONS: 'detect_leaks=0',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
}

function runTests() {
  const { status, stdout } = capture('ctest', ['--test-dir', tests, '--output-on-failure'], { env })
  console.log(stdout)
  return status === 0
}

function runSoak() {
  const cwd = packageCopy('sanitized', { 'build/Release/truefork.node': `${addon}/Release/truefork.node` })
  // Node isn't linked to the sanitizer, which has to come before everything else.
  const LD_PRELOAD = capture('c++', ['-print-file-name=libasan.so']).stdout.trim()
  const soak = ['--expose-gc', 'out/test/soak/main.js', '--forks', rounds, '--watchdog', '120']
  const { status, stdout } = capture(process.execPath, soak, { cwd, env: { ...env, LD_PRELOAD } })
  console.log(stdout)
  return status === 0
}

build()
const passed = [runTests(), runSoak()]
console.log(`with sanitizers: C++ tests ${passed[0] ? 'passed' : 'FAILED'}, soak ${passed[1] ? 'passed' : 'FAILED'}`)
process.exitCode = passed.every(Boolean) ? 0 : 1
