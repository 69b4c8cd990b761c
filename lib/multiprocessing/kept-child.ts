// A child that this module waits for by itself: no wait of the program's takes it.
import { binding } from '../binding'
import { found } from '../exit-watch'
import { sleepSync } from '../sleep-sync'

/** The wait status; null: somebody has taken it all the same; undefined: it runs. */
export function reapKept(child: number): number | null | undefined {
  const [pid, status] = binding.reapKept(child)
  if (pid === 0) return undefined
  return pid < 0 ? null : status
}

/** The same of one that is about to end: blocks this thread. */
export function waitForKept(child: number): number | null {
  for (;;) {
    const status = reapKept(child)
    if (status !== undefined) return status
    sleepSync(1)
  }
}

/** The same, once it has ended. */
export function endOfKept(child: number): Promise<number | null> {
  const look = () => reapKept(child)
  return found({ look, process: { isPidfd: false, id: child }, hasMore: false }, undefined)
}
