// What a process looks like from outside: /proc, as far as there is one.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { wait } from 'truefork'

/** `fd -> what it names`, for every descriptor of this process but the one that this needs for itself. */
export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [`${fd} -> ${readlinkSync(`/proc/self/fd/${fd}`)}`]
      } catch {
        return [] // the directory itself, closed by now
      }
    })
    .sort()
}

/** A line of proc_pid_status(5), such as SigIgn. */
export function statusField(name: string, status = readFileSync('/proc/self/status', 'utf8')): string {
  const value = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]
  if (value === undefined) throw new Error(`no ${name} in ${status}`)
  return value
}

/** For a program: image(), what it holds after a collection of garbage, its memory by a field of proc_pid_status(5). */
export function imageBy(field: string): string {
  return `
    const image = () => {
      gc()
      return {
        descriptors: fs.readdirSync('/proc/self/fd').length,
        threads: fs.readdirSync('/proc/self/task').length,
        mappings: fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').length,
        kilobytes: Number(/^${field}:\\s*([0-9]+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]),
      }
    }
  `
}

/** The signal sets of a process: blocked, ignored and caught. */
export function signalSets(status?: string): Record<'SigBlk' | 'SigIgn' | 'SigCgt', bigint> {
  const set = (name: string): bigint => BigInt(`0x${statusField(name, status)}`)
  return { SigBlk: set('SigBlk'), SigIgn: set('SigIgn'), SigCgt: set('SigCgt') }
}

/** The bit of a signal in such a set. */
export function signalBit(signal: number): bigint {
  return 1n << BigInt(signal - 1)
}

/** True if this process has no child to wait for, not even a zombie. */
export function isChildless(): boolean {
  try {
    const { pid, status } = wait()
    throw new Error(`there was child ${pid} with status ${status}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECHILD') return true
    throw error
  }
}
