// What is stale in a forked child, mended before any of the user's code runs there.
import { inspect } from 'node:util'
import { binding } from '../binding'
import { mendInspector } from './inspector'
import { startedSingleThreaded } from './probes/threads'
import {
  mayHaveRandomStock,
  mendMathRandom,
  mendNewContexts,
  prepareNewContexts,
  rehearseRandomStock,
  useUpRandomStock,
} from './random'
import type { Threads } from './situation'

/** Node's internals that end a process: undocumented, but patched by others since long. */
interface NodeProcess {
  reallyExit(code?: number): never
  _fatalException(error: unknown, fromPromise: boolean): boolean
  _exiting?: boolean
  _rawDebug(text: string): void
}

const internals = process as unknown as NodeProcess

/** Before the fork: what would take the child long. */
export function prepareChildState(threads: Threads): void {
  if (mendsNewContexts(threads)) prepareNewContexts()
  if (threads === 'all') rehearseRandomStock()
}

/** A child without its threads is to allocate as little as it can before it execs: a collection may never end there. */
function mendsNewContexts(threads: Threads): boolean {
  return threads === 'all' || startedSingleThreaded()
}

/**
 * Mends, after the fork, what Node read once and keeps: process.pid, seeds and stocks of random numbers; and what serves
 * the parent's debuggers. process.ppid asks the kernel each time. What has nothing to mend in the parent is called there
 * all the same: the next child has it compiled by then.
 *
 * @param threads which threads the child has: without V8's it can't run loops that an optimising compiler would take
 */
export function mendState(threads: Threads, isChild: boolean): void {
  if (isChild) {
    const value = binding.getpid()
    Object.defineProperty(process, 'pid', { value, writable: false, enumerable: true, configurable: true })
  }
  if (threads === 'all') mendInspector(isChild)
  mendMathRandom(isChild)
  if (mendsNewContexts(threads)) mendNewContexts(isChild)
  if (mayHaveRandomStock() && usesUpRandomStock(threads, isChild)) useUpRandomStock()
}

/** Which of the two leaves the stock to the other: the child, unless it has no threads for what that takes. */
function usesUpRandomStock(threads: Threads, isChild: boolean): boolean {
  if (threads === 'all') return isChild
  return !isChild && (!leavesWithoutThreads || startedSingleThreaded())
}

/** True in a child of leaveWithoutThreads: its own children inherit what that did. */
let leavesWithoutThreads = false

/**
 * Gives a child that has only the forking thread ways out that wait for no other: process.exit(), an empty event
 * loop and an uncaught error all run the 'exit' handlers once and end in _exit(2).
 */
export function leaveWithoutThreads(): void {
  if (leavesWithoutThreads) return
  leavesWithoutThreads = true
  internals.reallyExit = (code = 0) => binding._exit(code)
  const fatalException = internals._fatalException
  internals._fatalException = (error, fromPromise) => {
    try {
      if (fatalException.call(process, error, fromPromise)) return true
    } catch (thrown) {
      printError(thrown)
      return binding._exit(7) // Node's code for an error in a handler of uncaught errors
    }
    printError(error)
    return binding._exit(exitCode(1))
  }
  binding.onEmptyLoop(
    () => process.emit('beforeExit', exitCode(0)),
    () => {
      // Not process.exit(): that would forget the code 13 of an unsettled top-level await.
      internals._exiting = true
      process.emit('exit', exitCode(0))
    },
    () => internals.reallyExit(exitCode(0)),
  )
}

function exitCode(otherwise: number): number {
  return Number(process.exitCode ?? otherwise)
}

function printError(error: unknown): void {
  // Past process.stderr, which may be what failed.
  internals._rawDebug(`${inspect(error)}\n\nNode.js ${process.version}`)
}
