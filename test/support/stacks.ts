// Where a process that doesn't move stands.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * The stacks of all its threads, or at least their system calls where there is no gdb, or it takes longer than
 * `timeoutMs`.
 */
export function stacksOf(pid: number, timeoutMs = 60_000): string {
  try {
    return execFileSync('gdb', ['-p', String(pid), '-batch', '-ex', 'thread apply all backtrace 16'], {
      encoding: 'utf8',
      timeout: timeoutMs,
      maxBuffer: 2 ** 26,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch {
    return systemCallsOf(pid)
  }
}

function systemCallsOf(pid: number): string {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((tid) => `${tid}: ${readFileSync(`/proc/${pid}/task/${tid}/syscall`, 'utf8').trim()}`)
      .join('\n')
  } catch {
    return 'it has ended'
  }
}
