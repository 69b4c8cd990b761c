// Builds the native code with UndefinedBehaviorSanitizer, then with AddressSanitizer, and runs with each the C++ tests
// and a short soak: any report ends the process that makes it, and so the run. Arguments: rounds of the soak, default 3.
import { mkdirSync } from 'node:fs'
import { packageCopy } from './support/package-copy.mjs'
import { capture, root, run, tool } from './support/run.mjs'

const rounds = process.argv[2] ?? '3'

const sanitizers = {
  undefined: { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' },
  // Node itself leaves memory behind at its end, and isn't linked to the sanitizer.
  address: { ASAN_OPTIONS: 'detect_leaks=0', LD_PRELOAD: runtimeOf('libasan.so') },
}

function runtimeOf(library) {
  return capture('c++', [`-print-file-name=${library}`]).stdout.trim()
}

function build(sanitizer) {
  const options = [`-DTRUEFORK_SANITIZE=${sanitizer}`, '-DCMAKE_BUILD_TYPE=RelWithDebInfo']
  const addon = `out/addon-${sanitizer}`
  const forAddon = options.map((option) => `--C${option.slice(1)}`)
  run(process.execPath, [tool('cmake-js/bin/cmake-js'), 'build', '-O', `${root}/${addon}`, ...forAddon, '-l', 'error'])
  const tests = `out/native-${sanitizer}`
  mkdirSync(`${root}/${tests}`, { recursive: true })
  run('cmake', ['-S', '.', '-B', tests, '-DTRUEFORK_TESTS=ON', ...options, '--log-level=WARNING'])
  run('cmake', ['--build', tests, '--parallel', '2'])
  return { addon, tests }
}

function check(sanitizer, settings) {
  const { addon, tests } = build(sanitizer)
  const { LD_PRELOAD: _, ...forTests } = settings // they are linked to it
  const unit = capture('ctest', ['--test-dir', tests, '--output-on-failure'], { env: { ...process.env, ...forTests } })
  console.log(unit.stdout)
  const cwd = packageCopy(`sanitized-${sanitizer}`, { 'build/Release/truefork.node': `${addon}/Release/truefork.node` })
  const soak = ['--expose-gc', 'out/test/soak/main.js', '--forks', rounds, '--watchdog', '120']
  const { status, stdout } = capture(process.execPath, soak, { cwd, env: { ...process.env, ...settings } })
  console.log(stdout)
  return { sanitizer, tests: unit.status === 0 ? 'passed' : 'FAILED', soak: status === 0 ? 'passed' : 'FAILED' }
}

const rows = Object.entries(sanitizers).map(([sanitizer, settings]) => check(sanitizer, settings))
console.table(rows)
process.exitCode = rows.every(({ tests, soak }) => tests === 'passed' && soak === 'passed') ? 0 : 1
