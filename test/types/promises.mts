// Compiled as an ES module, never run: what must compile does, and what must not is marked so.
import {
  P_PID,
  type PosixSpawnOptions,
  pidfd_open,
  pidfd_send_signal,
  type SignalInfo,
  type WaitUsage,
  WEXITED,
} from 'truefork'
import { type Abortable, posix_spawn, posix_spawnp, wait4, waitid, waitpid } from 'truefork/promises'

const { signal } = new AbortController()
const options: PosixSpawnOptions = { env: {} }
const control: Abortable = { signal }
const pid: number = await posix_spawn('/bin/true', ['true'], options, { signal })
await posix_spawnp('true', [Buffer.from('true')], undefined, control)
const { status }: { status: number } = await waitpid(pid, 0, { signal: undefined })
const usage: WaitUsage = await wait4(pid)
const info: SignalInfo | null = await waitid(P_PID, pid, WEXITED, control)
const pidfd: number = pidfd_open(pid)
pidfd_send_signal(pidfd, 'SIGTERM')

// @ts-expect-error a pid is a number
await waitpid('1')
// @ts-expect-error waitid needs its options
await waitid(P_PID, pid)
// @ts-expect-error may be null
info.pid
// @ts-expect-error the signal comes in an object
await waitpid(pid, 0, signal as AbortSignal & { signal: 1 })
// @ts-expect-error no such signal
pidfd_send_signal(pidfd, 'SIGNOTHING')
// @ts-expect-error a promise of a number
posix_spawnp('true', ['true']) satisfies number

export { status, usage }
