// A program in a session on a pseudo-terminal, driven as a person at the keyboard would: wait for words, type.
import { closeSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ReadStream } from 'node:tty'
import { describeStatus, kill, O_RDWR, openpty, posix_spawnp, type StatusDescription, WNOHANG, waitpid } from 'truefork'
import { cleanEnv } from './program'

const patienceMs = 30_000

export interface Session {
  pid: number
  master: number
  /** Waits until the program writes this, after what was waited for before, and returns what came in between. */
  seen(words: string | RegExp): Promise<string>
  type(text: string): void
  /** Waits until the program has ended, and everybody has let go of its terminal. */
  ended(): Promise<StatusDescription>
}

/** Starts a program as the leader of a session on a new terminal. What a test leaves is killed at its end. */
export function startSession(
  t: { teardown(undo: () => void): unknown },
  argv: readonly [string, ...string[]],
  env: Record<string, string | undefined> = {},
): Session {
  const { master, slave, name } = openpty({ rows: 24, columns: 80 })
  const pid = posix_spawnp(argv[0], argv, {
    env: { ...cleanEnv(), ...env },
    setsid: true,
    fileActions: [
      // The first terminal that a session's leader opens becomes its controlling one.
      { action: 'open', fd: 0, path: name, flags: O_RDWR },
      { action: 'dup2', fd: 0, newFd: 1 },
      { action: 'dup2', fd: 0, newFd: 2 },
    ],
  })
  closeSync(slave)
  let [text, at, hungUp] = ['', 0, false]
  let status: StatusDescription | undefined
  const stream = new ReadStream(master)
  stream
    .setEncoding('utf8')
    .on('data', (chunk) => {
      text += chunk
    })
    .on('error', () => {}) // EIO is how Linux tells that nobody has the slave any more
    .on('close', () => {
      hungUp = true
    })
  t.teardown(() => {
    stream.destroy()
    if (status !== undefined) return
    kill(pid, 'SIGKILL')
    waitpid(pid)
  })

  async function until<Value>(look: () => Value | undefined, what: string): Promise<Value> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const value = look()
      if (value !== undefined) return value
      if (performance.now() > deadline) throw new Error(`no ${what} on the terminal, but: ${JSON.stringify(text)}`)
      await sleep(5)
    }
  }

  return {
    pid,
    master,
    seen: (words) =>
      until(() => {
        const rest = text.slice(at)
        const [found] = typeof words === 'string' ? (rest.includes(words) ? [words] : []) : (words.exec(rest) ?? [])
        if (found === undefined) return undefined
        const end = rest.indexOf(found) + found.length
        at += end
        return rest.slice(0, end)
      }, String(words)),
    type: (words) => {
      writeSync(master, words)
    },
    ended: () =>
      until(() => {
        const { pid: reaped, status: raw } = status === undefined ? waitpid(pid, WNOHANG) : { pid: 0, status: 0 }
        if (reaped !== 0) status = describeStatus(raw)
        return hungUp ? status : undefined
      }, 'end'),
  }
}
