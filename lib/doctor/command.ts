// A command that is looked at when it has settled, and then ended with all that it has started.
import { constants as osConstants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { O_RDONLY, P_PID, WEXITED, WNOHANG, WNOWAIT } from '../constants'
import { ProcessView } from '../diagnosis/process-view'
import { killpg } from '../signals'
import { posix_spawnp } from '../spawn'
import { describeStatus } from '../status'
import { waitid, waitpid } from '../wait'

/** It has settled when none of its threads has been on a processor for so long, and none has come or gone. */
const quietMs = 500
/** It is looked at after so long in any case. */
const longestMs = 10_000

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The command ended before there was anything to look at. */
export class EndedEarly extends Error {
  constructor(command: string, status: number) {
    const end = describeStatus(status)
    const how = end.kind === 'exited' ? `with exit code ${end.code}` : `by ${'signal' in end ? end.signal : end.kind}`
    super(`${command} ended ${how} before it could be looked at`)
  }
}

/**
 * Starts a command, looks, and ends it, whatever happens meanwhile. It reads nothing, and what it writes goes to this
 * process's standard error.
 */
export async function withCommand<Result>(
  argv: readonly [string, ...string[]],
  look: (pid: number) => Result,
): Promise<Result> {
  const pid = posix_spawnp(argv[0], argv, {
    setpgroup: 0,
    fileActions: [
      { action: 'open', fd: 0, path: '/dev/null', flags: O_RDONLY },
      { action: 'dup2', fd: 2, newFd: 1 },
    ],
  })
  const leave = (signal: NodeJS.Signals): void => {
    end(pid)
    process.exit(128 + osConstants.signals[signal])
  }
  for (const signal of endingSignals) process.on(signal, leave)
  try {
    await settled(pid)
    const { pid: ended } = waitid(P_PID, pid, WEXITED | WNOHANG | WNOWAIT) ?? { pid: 0 }
    if (ended !== 0) throw new EndedEarly(argv[0], end(pid))
    return look(pid)
  } finally {
    for (const signal of endingSignals) process.off(signal, leave)
    end(pid)
  }
}

async function settled(pid: number): Promise<void> {
  const deadline = performance.now() + longestMs
  let before = ''
  while (performance.now() < deadline) {
    const now = activityOf(pid)
    if (now === before) return
    before = now
    await sleep(quietMs)
  }
}

/** What stays the same while all threads sleep. */
function activityOf(pid: number): string {
  try {
    return JSON.stringify(new ProcessView(pid).threads().map(({ tid, state, switches }) => [tid, state, switches]))
  } catch {
    return 'ended'
  }
}

/** The whole group, and no zombie of it is left. Returns how the command itself ended; -1: it has been waited for. */
function end(pid: number): number {
  try {
    killpg(pid, 'SIGKILL')
  } catch {} // nobody is left of it
  try {
    return waitpid(pid).status
  } catch {
    return -1
  }
}
