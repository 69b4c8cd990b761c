// Compiled, never run: what must compile does, and what must not is marked so.
import {
  forkpty,
  getpgid,
  getpgrp,
  getrlimit,
  getsid,
  openpty,
  prctl,
  prlimit,
  type ResourceLimits,
  RLIM_INFINITY,
  RLIMIT_NOFILE,
  SIG_BLOCK,
  type Signal,
  setpgid,
  setrlimit,
  setsid,
  sigpending,
  sigprocmask,
  tcgetpgrp,
  tcgetwinsize,
  tcsetpgrp,
  tcsetwinsize,
} from 'truefork'

getpgid(0) satisfies number
getpgrp() satisfies number
getsid(0) satisfies number
setsid() satisfies number
setpgid(0, 0)
tcsetpgrp(0, tcgetpgrp(0))

const previous: Signal[] = sigprocmask(SIG_BLOCK, new Set(['SIGTERM', 35] as const))
sigprocmask(SIG_BLOCK, previous)
sigpending() satisfies Signal[]

const limits: ResourceLimits = getrlimit('nofile')
getrlimit('RLIMIT_NOFILE').soft satisfies number | bigint
setrlimit(RLIMIT_NOFILE, 100, limits.hard)
setrlimit('core', 0n, RLIM_INFINITY)
setrlimit('core', 0, 'infinity')
prlimit(1, 'as') satisfies ResourceLimits
prlimit(1, 'as', 1, 2) satisfies ResourceLimits

prctl.setPdeathsig('SIGKILL')
prctl.setChildSubreaper(true)

openpty().name satisfies string
const { master, slave } = openpty({ rows: 24, columns: 80 })
tcsetwinsize(master, tcgetwinsize(slave))
forkpty({ rows: 24, threads: 'caller', accept: ['dead-v8-workers'] }) satisfies { pid: number; fd: number }

// @ts-expect-error two ids
setpgid(0)
// @ts-expect-error signals are a list
sigprocmask(SIG_BLOCK, 'SIGTERM')
// @ts-expect-error no such signal
sigprocmask(SIG_BLOCK, ['SIGNOTHING'])
// @ts-expect-error no such resource
getrlimit('files')
// @ts-expect-error both limits
setrlimit('nofile', 1)
// @ts-expect-error both limits, or none
prlimit(0, 'nofile', 1)
// @ts-expect-error no such word
setrlimit('nofile', 'unlimited', 1)
// @ts-expect-error a boolean
prctl.setChildSubreaper(1)
// @ts-expect-error a size is numbers
openpty({ rows: '24' })
// @ts-expect-error both
tcsetwinsize(0, { rows: 1 })
// @ts-expect-error fork's own choices
forkpty({ threads: 'some' })
