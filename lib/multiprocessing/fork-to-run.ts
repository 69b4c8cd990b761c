import { writeSync } from 'node:fs'
import { inspect } from 'node:util'
import { binding } from '../binding'
import { forkBetweenHooks } from '../fork'
import { detachFromParent, endWorkers } from '../safety/detach'
import { findParentWork } from '../safety/parent-work'

/**
 * Makes a child that runs one function from its event loop, and nothing of what its parent was at: it never returns
 * there. The function must end the process.
 *
 * @returns the child's pid
 * @throws as fork; ERR_FEATURE_UNAVAILABLE_ON_PLATFORM where what the parent is at can't be found
 */
export function forkToRun(run: () => void): number {
  findParentWork()
  // What the parent has still to write the child forgets.
  const [pid, hooks] = forkBetweenHooks({ accept: ['pending-writes'] }, true)
  if (pid !== 0) return pid
  const isInTimers = detached()
  binding.runOnly(() => {
    endWorkers()
    hooks.after(pid)
    run()
  }, isInTimers)
  for (;;); // V8 looks for what stops it at each turn
}

/** In the child. What was thrown here would run the parent's catch. */
function detached(): boolean {
  try {
    return detachFromParent()
  } catch (error) {
    writeSync(2, `truefork: a child can't leave what its parent is at: ${inspect(error)}\n`)
    return binding._exit(1)
  }
}
