// The system call that a thread is in, and in words what it waits for there.
import { binding } from '../binding'
import type { ProcessView, RawCall } from './process-view'

/** A system call: its name, and its arguments as hexadecimal numbers. */
export interface SystemCall {
  number: number
  name: string
  args: string[]
}

const { systemCalls } = binding.diagnosisFacts()

/** Whether this platform tells what a thread is in. */
export const tellsSystemCalls = Object.keys(systemCalls).length > 0

export function toSystemCall({ number, args }: RawCall): SystemCall | null {
  if (number < 0) return null
  return { number, name: systemCalls[number] ?? `system call ${number}`, args }
}

const onDescriptor = new Set(
  `read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 recvfrom recvmsg recvmmsg sendto sendmsg
   sendmmsg accept accept4 connect ioctl fsync fdatasync flock fcntl epoll_wait epoll_pwait epoll_pwait2 getdents64 splice tee
   sendfile io_uring_enter ftruncate fallocate fstat close`.split(/\s+/),
)
const reading = new Set(['read', 'readv', 'recvfrom', 'recvmsg'])
const sleeping = new Set(['nanosleep', 'clock_nanosleep'])

/** `is in read of descriptor 5 (pipe:[123])` */
export function describeCall(view: ProcessView, { name, args }: SystemCall): string {
  if (name.startsWith('epoll_')) return `waits for events: ${onDescriptorWords(view, name, args)}`
  if (onDescriptor.has(name)) return `is in ${onDescriptorWords(view, name, args)}`
  if (name === 'poll' || name === 'ppoll') return `waits for events of ${polled(view, args)} (${name})`
  if (sleeping.has(name)) return `sleeps (${name})`
  if (name === 'wait4' || name === 'waitid') return `waits for ${awaited(name, args)} to end (${name})`
  if (name === 'pause' || name.startsWith('rt_sig')) return `waits for a signal (${name})`
  if (name === 'vfork' || name === 'clone' || name === 'clone3') return `waits for a child to exec or end (${name})`
  return `is in ${name}`
}

function onDescriptorWords(view: ProcessView, name: string, args: readonly string[]): string {
  const fd = toInt(args[0])
  const words = `${name} of descriptor ${fd}${targetWords(view, fd)}`
  const ends = reading.has(name) ? ownWriteEnds(view, fd) : []
  if (ends.length === 0) return words
  return `${words}, whose other end this process has open itself (${ends.join(', ')}): without data its end never comes`
}

function targetWords(view: ProcessView, fd: number): string {
  const target = view.link(`fd/${fd}`)
  return target === null ? '' : ` (${target})`
}

/** The descriptors by which a process can write into the pipe that it reads. */
function ownWriteEnds(view: ProcessView, fd: number): number[] {
  const target = view.link(`fd/${fd}`)
  if (target === null || !target.startsWith('pipe:[')) return []
  return view.descriptors().filter((other) => {
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(view.read(`fdinfo/${other}`))?.[1] ?? '0', 8)
    return other !== fd && (flags & 3) !== 0 && view.link(`fd/${other}`) === target
  })
}

/** `descriptors 3 (pipe:[123]), 4 (...)`: as poll(2) was given them. */
function polled(view: ProcessView, args: readonly string[]): string {
  const [address = 0, count = 0] = args.map(Number)
  const shown = Math.min(count, 8)
  const list = view.memory(address, shown * 8)
  if (list === null || count === 0) return count === 0 ? 'no descriptor' : `${count} descriptors`
  const fds = Array.from({ length: Math.floor(list.length / 8) }, (_, index) => list.readInt32LE(index * 8))
  const more = count > shown ? ` and ${count - shown} more` : ''
  return `${fds.map((fd) => `${fd}${targetWords(view, fd)}`).join(', ')}${more}`
}

function awaited(name: string, args: readonly string[]): string {
  const id = toInt(name === 'wait4' ? args[0] : args[1])
  const isOne = name === 'wait4' ? id > 0 : toInt(args[0]) === 1 // P_PID
  if (!isOne) return 'a child'
  return `process ${id}`
}

/** An int in a register, whose upper half may be anything. */
function toInt(hexadecimal = '0'): number {
  return Number(BigInt.asIntN(32, BigInt(hexadecimal)))
}
