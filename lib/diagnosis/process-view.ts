// One process as /proc shows it: proc(5). What may not be read is told by the name of the error, and is no failure.
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { binding } from '../binding'
import { PosixError } from '../errors'

/** A system call as the kernel tells it: proc_pid_syscall(5). */
export interface RawCall {
  /** -1: blocked, but in no system call. */
  number: number
  /** As hexadecimal numbers. */
  args: string[]
  stackPointer: number
  programCounter: number
}

export interface ThreadView {
  tid: number
  /** In its own pid namespace, as the locks in its memory have it. */
  ownTid: number
  name: string
  /** As proc_pid_status(5) has it: R, S, D, T, t, Z, X, I. */
  state: string
  /** Both counts of context switches: they stand still while the thread doesn't run. */
  switches: string
  /** Null: it runs, or `unreadable` says why it isn't known. */
  call: RawCall | null
  /** The name of an error, or null. */
  unreadable: string | null
  /** The function of the kernel that it sleeps in; empty where that isn't told. */
  wchan: string
}

export interface Mapping {
  start: number
  end: number
  /** As in `r-xp`. */
  permissions: string
  offset: number
  inode: number
  path: string
}

export class ProcessView {
  readonly pid: number
  readonly status: Readonly<Record<string, string>>
  #mappings: Mapping[] | undefined

  /** Throws PosixError ESRCH if there is no such process. */
  constructor(pid: number) {
    this.pid = pid
    this.status = fieldsOf(this.#mustRead('status'))
    // A thread has a folder, too, which isn't listed.
    if (Number(this.status['Tgid']) !== pid) throw this.#gone('status')
  }

  /** Its pid in its own pid namespace. */
  get ownPid(): number {
    return lastNumber(this.status['NSpid']) ?? this.pid
  }

  /** Every thread, the main one first. */
  threads(): ThreadView[] {
    let names: string[]
    try {
      names = readdirSync(`/proc/${this.pid}/task`)
    } catch (error) {
      throw this.#failure(error, 'task')
    }
    return names.map(Number).flatMap((tid) => this.#thread(tid) ?? [])
  }

  /** Empty where they may not be read. */
  get mappings(): readonly Mapping[] {
    this.#mappings ??= this.read('maps').split('\n').flatMap(toMapping)
    return this.#mappings
  }

  /** The mapping that an address lies in. */
  mappingOf(address: number): Mapping | undefined {
    return this.mappings.find(({ start, end }) => start <= address && address < end)
  }

  /** What lies at an address, which may be less than was asked for, or null. */
  memory(address: number, size: number): Buffer | null {
    return this.withMemory((read) => read(address, size))
  }

  /** Opens the memory once for any number of readings. */
  withMemory<Result>(look: (read: (address: number, size: number) => Buffer | null) => Result): Result {
    let fd = -1
    try {
      fd = openSync(`/proc/${this.pid}/mem`, 'r')
    } catch {} // look finds nothing
    try {
      return look((address, size) => (fd < 0 ? null : readAt(fd, address, size)))
    } finally {
      if (fd >= 0) closeSync(fd)
    }
  }

  /** A file of its folder, or an empty text. */
  read(name: string): string {
    try {
      return readFileSync(`/proc/${this.pid}/${name}`, 'utf8')
    } catch {
      return ''
    }
  }

  /** What a link in its folder leads to, or null. */
  link(name: string): string | null {
    try {
      return readlinkSync(`/proc/${this.pid}/${name}`)
    } catch {
      return null
    }
  }

  /** Its open descriptors in order, or none where they may not be seen. */
  descriptors(): number[] {
    try {
      return readdirSync(`/proc/${this.pid}/fd`)
        .map(Number)
        .sort((a, b) => a - b)
    } catch {
      return []
    }
  }

  /** Undefined: it has ended meanwhile. */
  #thread(tid: number): ThreadView | undefined {
    const fields = fieldsOf(this.read(`task/${tid}/status`))
    const state = fields['State']?.[0]
    if (state === undefined) return undefined
    // The thread that asks finds itself in the very call that reads the answer.
    const isCaller = tid === binding.gettid()
    return {
      tid,
      ownTid: lastNumber(fields['NSpid']) ?? tid,
      name: fields['Name'] ?? '',
      state: isCaller ? 'R' : state,
      switches: `${fields['voluntary_ctxt_switches']} ${fields['nonvoluntary_ctxt_switches']}`,
      ...(isCaller ? { call: null, unreadable: null } : this.#call(tid)),
      wchan: isCaller ? '' : this.read(`task/${tid}/wchan`).replace(/^0$/, ''),
    }
  }

  #call(tid: number): Pick<ThreadView, 'call' | 'unreadable'> {
    try {
      return { call: toCall(readFileSync(`/proc/${this.pid}/task/${tid}/syscall`, 'utf8')), unreadable: null }
    } catch (error) {
      return { call: null, unreadable: (error as NodeJS.ErrnoException).code ?? 'EIO' }
    }
  }

  #mustRead(name: string): string {
    try {
      return readFileSync(`/proc/${this.pid}/${name}`, 'utf8')
    } catch (error) {
      throw this.#failure(error, name)
    }
  }

  #failure(error: unknown, name: string): PosixError {
    const { code, errno } = error as NodeJS.ErrnoException
    // Under hidepid= other users' processes seem not to be there.
    if (code === 'ENOENT' || code === 'ESRCH') return this.#gone(name)
    return new PosixError(errno ?? -osConstants.errno.EIO, 'open', `/proc/${this.pid}/${name}`)
  }

  #gone(name: string): PosixError {
    const failure = binding.kill(this.pid, 0)
    const isHidden = failure === -osConstants.errno.EPERM
    return new PosixError(isHidden ? failure : -osConstants.errno.ESRCH, 'open', `/proc/${this.pid}/${name}`)
  }
}

function readAt(fd: number, address: number, size: number): Buffer | null {
  const buffer = Buffer.alloc(size)
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, size, address))
  } catch {
    return null // nothing is mapped there
  }
}

/** The lines `name: value` of a file. */
function fieldsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(\w+):[ \t]*(.*)$/gm)].map(([, name, value]) => [name, value]))
}

function lastNumber(text: string | undefined): number | undefined {
  const last = text?.split(/\s+/).filter(Boolean).at(-1)
  return last === undefined ? undefined : Number(last)
}

/** `202 0x7f.. ... stack pc`, `-1 stack pc`, or `running`. */
function toCall(text: string): RawCall | null {
  const words = text.trim().split(' ')
  if (words.length < 3) return null
  const [stackPointer, programCounter] = words.slice(-2).map(Number) as [number, number]
  return { number: Number(words[0]), args: words.slice(1, -2), stackPointer, programCounter }
}

/** `7f00-7f10 r-xp 00001000 08:01 123   /usr/lib/libc.so.6` */
function toMapping(line: string): Mapping[] {
  const match = /^([\da-f]+)-([\da-f]+) (\S+) ([\da-f]+) \S+ (\d+) *(.*)$/.exec(line)
  if (match === null) return []
  const [, start = '', end = '', permissions = '', offset = '', inode = '', path = ''] = match
  const [from, to, at] = [start, end, offset].map((hexadecimal) => Number.parseInt(hexadecimal, 16))
  return [{ start: from as number, end: to as number, permissions, offset: at as number, inode: Number(inode), path }]
}
