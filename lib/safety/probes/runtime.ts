// Hazards of state that a library or V8 keeps for the process.
import { platform } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { isMainThread } from 'node:worker_threads'
import { canMendMathRandom } from '../random'
import { counted, type Finding } from '../situation'

export function objcInitialize(): string | undefined {
  if (platform() !== 'darwin' || process.env['OBJC_DISABLE_INITIALIZE_FORK_SAFETY'] === 'YES') return undefined
  return 'the Objective-C runtime ends a child at the first use of a class that another thread was initializing at the fork'
}

export function doubledRandom(): Finding | undefined {
  if (!canMendMathRandom()) {
    return {
      detail: "Math.random can't be replaced, as it is frozen: it would draw the same numbers in parent and child",
    }
  }
  if (!isMainThread) return undefined
  const contexts = getHeapStatistics().number_of_native_contexts - 1
  if (contexts < 1) return undefined
  return {
    detail: `${counted(contexts, 'context')} of node:vm may go on with the same numbers of Math.random in parent and child`,
    severity: 'notice',
  }
}
