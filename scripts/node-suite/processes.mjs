// The processes of a test: to look into when they hang, and to end.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * What still runs of a test: everything in the session it was started as leader of, and whatever left that session
 * but inherited its environment.
 *
 * @param session the pid of the test
 * @param mark NAME=value, as no other process has it in its environment
 */
export function processesOf(session, mark) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const [state, , , ofSession] = statOf(pid)
      if (state === undefined || state === 'Z') return false
      return Number(ofSession) === session || read(`/proc/${pid}/environ`).split('\0').includes(mark)
    })
}

/** Ends processes and all that they start meanwhile. */
export function killAll(find) {
  for (let pids = find(); pids.length > 0; pids = find()) {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {} // it has ended by itself
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  }
}

/** The stack of every thread of a process; without gdb, the system call that each is in. */
export function stacksOf(pid) {
  const title = `--- process ${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`
  const gdb = spawnSync('gdb', ['-p', String(pid), '-batch', '-ex', 'thread apply all backtrace 25'], {
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return `${title}\n${gdb.status === 0 ? gdb.stdout : systemCallsOf(pid)}`
}

function systemCallsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((tid) => `${tid}: ${read(`/proc/${pid}/task/${tid}/syscall`).trim()}`)
      .join('\n')
  } catch {
    return 'it has ended'
  }
}

/** The fields of /proc/PID/stat after the name: state, ppid, pgrp, session, … */
function statOf(pid) {
  const stat = read(`/proc/${pid}/stat`)
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function read(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has ended
  }
}
