// Compiled, never run: what must compile does, and what must not is marked so.
import { type Diagnosis, diagnose, type LockKind, type LockOwner } from 'truefork'

const { deadlocked, summary, threads, state, fork }: Diagnosis = diagnose(1)
deadlocked satisfies boolean
summary satisfies string
fork?.threadsAtFork.map(({ tidHere }) => tidHere satisfies number | null)
fork?.threads satisfies 'all' | 'caller' | undefined
if (state === 'deadlocked') {
  for (const { syscall, lock } of threads) {
    syscall?.args satisfies string[] | undefined
    lock?.kind satisfies LockKind | undefined
    lock?.owner?.exists satisfies LockOwner['exists'] | undefined
  }
}

// @ts-expect-error a pid is a number
diagnose('1')
// @ts-expect-error no such state
if (state === 'hung') diagnose(1)
// @ts-expect-error it needs a pid
diagnose()
