// What a child does, from its first moment: it becomes a process of its own, runs its target, and ends.
import { binding } from '../binding'
import { PosixError } from '../errors'
import { forgetChildren, liveChildren } from './children'
import { becomeProcess, forkServer, type ProcessIdentity } from './current'

/** In a child, before anything of the target's. */
export function enterChild(identity: ProcessIdentity): void {
  becomeProcess(identity)
  forgetChildren()
  if (identity.daemon) endWithParent(forkServer() ?? identity.parentPid)
}

/**
 * Runs the target, and ends this process: with 0, or process.exitCode, once it has returned or its promise is resolved; as
 * any program with an error that nobody catches, if it throws or rejects.
 */
export async function runTarget(target: () => unknown): Promise<never> {
  try {
    await target()
  } catch (error) {
    binding.throwUncaught(error)
    process.exitCode ??= 1 // a listener has dealt with it
  }
  return leave()
}

async function leave(): Promise<never> {
  const others = liveChildren().filter(({ daemon }) => !daemon)
  await Promise.all(others.map(({ ended }) => ended))
  for (const fd of [1, 2]) if (binding.hasStream(fd)) await flushed(fd === 1 ? process.stdout : process.stderr)
  return process.exit()
}

/** What a pipe couldn't take at once is still in the stream. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve()
    else stream.once('error', () => resolve()).write('', () => resolve())
  })
}

function endWithParent(parent: number): void {
  // Two ways, as each has its gap: the signal is forgotten by setuid, and a thread can't always be had.
  const failures = [binding.setPdeathsig(9), binding.endWith(parent)].filter((result) => result < 0)
  if (failures.length === 2) throw new PosixError(failures[1] as number, 'pidfd_open')
}
