// Compiled, never run: what must compile does, and what must not is marked so.
import {
  _exit,
  type ForkOptions,
  fork,
  forkHazards,
  type HazardId,
  type HazardReport,
  type Mutex,
  registerAtFork,
  registerMutex,
  type ThreadInfo,
} from 'truefork'

fork() satisfies number
fork({})
fork({ threads: 'all' })
fork({ threads: 'caller', hazards: 'warn', accept: ['dead-v8-workers', 'not-main-thread'], drainMs: 10 })
const accepted: readonly HazardId[] = ['dead-v8-workers']
const options: ForkOptions = { threads: undefined, hazards: undefined, accept: accepted, drainMs: undefined }
const report: HazardReport = forkHazards(options)
report.threads.map(({ role }) => role) satisfies ThreadInfo['role'][]
report.hazards[0]?.remedy satisfies string | undefined

export const leave: () => never = () => _exit(0)

// @ts-expect-error no such choice
fork({ threads: 'some' })
// @ts-expect-error no such policy
fork({ hazards: 'maybe' })
// @ts-expect-error no such hazard
fork({ accept: ['no-such-hazard'] })
// @ts-expect-error a list, not one
fork({ accept: 'dead-v8-workers' })
// @ts-expect-error a number
fork({ drainMs: '10' })
// @ts-expect-error no such option
fork({ thread: 'all' })
// @ts-expect-error a status is needed
_exit()
// @ts-expect-error a number
_exit('0')
// @ts-expect-error fork is synchronous
fork().then(() => {})

const undoHooks: () => void = registerAtFork({
  before() {},
  afterInParent: (pid: number) => void pid,
  afterInChild() {},
})
undoHooks()
// @ts-expect-error: there is no such hook
registerAtFork({ after() {} })
// @ts-expect-error: the child's hook is told nothing
registerAtFork({ afterInChild: (pid: number) => void pid })

const mutex: Mutex = { name: 'cache', shared: false, holder: () => ({ pid: 1, tid: 0 }) }
const forgetMutex: () => void = registerMutex(mutex)
forgetMutex()
// @ts-expect-error: whether it is shared has to be said
registerMutex({ name: 'cache', holder: () => null })
