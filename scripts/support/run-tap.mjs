// Runs test files and prints TAP: run-tap.mjs <node> <file>... The tap command itself, and its spawn, preload code
// into every Node that the tests start, and so change the signals, descriptors and ends that they are about.
import t from 'tap'

const [node, ...files] = process.argv.slice(2)
const timeout = 300_000 // for a file; every program that a test starts has its own watchdog
const env = { ...process.env, TAP_TIMEOUT: String(timeout / 1000) }

t.setTimeout(0)
t.jobs = 2
for (const file of files) {
  t.spawn('env', ['-u', 'NODE_OPTIONS', node, '--enable-source-maps', file], { timeout, env, buffered: true }, file)
}
process.once('exit', () => console.log(`# ${JSON.stringify(t.counts)}`))
