// Runs test files and prints TAP: run-tap.mjs <node> <file>... The tap command itself, and its spawn, preload code
// into every Node that the tests start, by NODE_OPTIONS, and so change the signals, descriptors and ends that they
// are about.
import t from 'tap'

const [node, ...files] = process.argv.slice(2)
const seconds = 300 // for a file; every program that a test starts has its own watchdog
const env = { ...process.env, TAP_TIMEOUT: String(seconds) }

t.setTimeout(0)
t.jobs = 2
for (const file of files) {
  const one = [process.execPath, 'scripts/support/run-one.mjs', String(seconds)]
  const run = ['-u', 'NODE_OPTIONS', ...one, node, '--enable-source-maps', file]
  t.spawn('env', run, { timeout: (seconds + 30) * 1000, env, buffered: true }, file)
}
process.once('exit', () => console.log(`# ${JSON.stringify(t.counts)}`))
