// Runs a program in a process group of its own: run-one.mjs <seconds> <program> <argument>... After so long, and at
// the program's end, all of the group is killed: one process left behind would hold the output open for ever.
import { spawn } from 'node:child_process'

const [seconds, program, ...args] = process.argv.slice(2)
const child = spawn(program, args, { detached: true, stdio: 'inherit' })

function killGroup() {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nobody is left.
  }
}

const watchdog = setTimeout(() => {
  console.log(`not ok - ${args.at(-1)} hung for ${seconds} s`)
  killGroup()
}, Number(seconds) * 1000)
child.on('exit', (code, signal) => {
  clearTimeout(watchdog)
  killGroup()
  process.exitCode = code ?? 1
  if (signal !== null) console.log(`# ended by ${signal}`)
})
