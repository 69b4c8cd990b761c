// Compiled as an ES module, never run: what must compile does, and what must not is marked so.
import {
  constants,
  describeStatus,
  kill,
  P_ALL,
  type SignalInfo,
  WEXITED,
  WIFEXITED,
  WNOHANG,
  wait,
  wait4,
  waitid,
  waitpid,
  waitstatusToExitcode,
} from 'truefork'

const { pid, status }: { pid: number; status: number } = wait()
waitpid(-1, WNOHANG)
wait4(pid).rusage.userCPUTime satisfies number
const info: SignalInfo | null = waitid(P_ALL, 0, WEXITED)
WIFEXITED(status) satisfies boolean
waitstatusToExitcode(status) satisfies number
const description = describeStatus(status)
if (description.kind === 'exited') description.code satisfies number
if (description.kind === 'signaled') description.signal satisfies NodeJS.Signals | number
constants.WNOHANG satisfies number
kill(1, 'SIGTERM')
kill(1, 15)

// @ts-expect-error a pid is a number
waitpid('1')
// @ts-expect-error waitid needs its options
waitid(P_ALL, 0)
// @ts-expect-error may be null
info.pid
// @ts-expect-error wait takes nothing
wait(1)
// @ts-expect-error no such signal
kill(1, 'SIGNOTHING')
// @ts-expect-error a code only where it exited
description.code
// @ts-expect-error plain wait tells no usage
wait().rusage
