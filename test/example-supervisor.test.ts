// The supervisor of the examples, with real services.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { kill } from 'truefork'
import { cleanEnv, root } from './support/program'

const skip = process.platform !== 'linux' && 'no subreapers there'
const patienceMs = 30_000

interface Supervisor {
  process: ChildProcess
  pid: number
  /** Waits for a line of its log, after the last that this pattern has found, and returns what the pattern catches. */
  logged(pattern: RegExp): Promise<number>
  log(): string[]
  ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

function supervise(t: Test, services: readonly string[], env: Record<string, string> = {}): Supervisor {
  const program = join(root, 'out', 'examples', '16-supervisor.js')
  const child = spawn(process.execPath, [program, ...services], {
    env: { ...cleanEnv(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  const seen = new Map<string, number>() // how many lines each pattern has behind it: services write among its own
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const end = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  t.teardown(() => child.kill('SIGKILL'))
  const within = <Value>(look: Promise<Value>, what: string): Promise<Value> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no ${what} in: ${text}`)), patienceMs)
    })
    return Promise.race([look, late]).finally(() => clearTimeout(timer))
  }
  const find = async (pattern: RegExp): Promise<number> => {
    for (;;) {
      const lines = text.split('\n').slice(0, -1)
      const index = lines.findIndex((line, number) => number >= (seen.get(pattern.source) ?? 0) && pattern.test(line))
      if (index !== -1) {
        seen.set(pattern.source, index + 1)
        return Number(pattern.exec(lines[index] as string)?.[1])
      }
      if (child.exitCode !== null) throw new Error(`ended without ${pattern}: ${text}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  return {
    process: child,
    pid: child.pid as number,
    logged: (pattern) => within(find(pattern), String(pattern)),
    log: () => text.split('\n').slice(0, -1),
    ended: () => within(end, 'end'),
  }
}

function isGone(pid: number): boolean {
  try {
    kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

t.test('a service that ends is started again, each time after a longer pause', { skip }, async (t) => {
  const supervisor = supervise(t, ['exit 3'])
  const pids: number[] = []
  for (const pause of [50, 100, 200]) {
    pids.push(await supervisor.logged(/^service 1 started as (\d+)$/))
    t.equal(await supervisor.logged(/^service 1 ended: {"kind":"exited","code":3}, starts again in (\d+) ms$/), pause)
  }
  supervisor.process.kill('SIGTERM')
  t.same(await supervisor.ended(), { code: 0, signal: null })
  t.equal(new Set(pids).size, 3)
  t.ok(pids.every(isGone))
  t.equal(supervisor.log().at(-1), 'nobody is left')
})

t.test('a service that is killed comes back, and the others notice nothing', { skip }, async (t) => {
  const supervisor = supervise(t, ['exec sleep 600', 'exec sleep 601'])
  const first = await supervisor.logged(/^service 1 started as (\d+)$/)
  const second = await supervisor.logged(/^service 2 started as (\d+)$/)
  kill(first, 'SIGKILL')
  await supervisor.logged(/^service 1 ended: {"kind":"signaled","signal":"SIGKILL"/)
  const again = await supervisor.logged(/^service 1 started as (\d+)$/)
  t.not(again, first)
  kill(second, 0)
  supervisor.process.kill('SIGTERM')
  t.same(await supervisor.ended(), { code: 0, signal: null })
  t.ok([first, second, again].every(isGone))
  t.notOk(supervisor.log().some((line) => line.startsWith('still there')))
})

t.test('an orphan is adopted and reaped, though it has left the session', { skip }, async (t) => {
  const supervisor = supervise(t, ['(setsid sleep 0.1 &); exec sleep 600'])
  await supervisor.logged(/^service 1 started as (\d+)$/)
  const orphan = await supervisor.logged(/^orphan (\d+) reaped: {"kind":"exited","code":0}$/)
  t.ok(isGone(orphan), 'not even a zombie')
  supervisor.process.kill('SIGTERM')
  t.same(await supervisor.ended(), { code: 0, signal: null })
})

t.test('signals are passed on to the whole group of each service', { skip }, async (t) => {
  const service = 'trap "exit 11" HUP; echo ready 1; while :; do sleep 600 & wait; done'
  const supervisor = supervise(t, [service])
  await supervisor.logged(/^ready 1$/)
  supervisor.process.kill('SIGHUP')
  await supervisor.logged(/^SIGHUP passed on$/)
  await supervisor.logged(/^service 1 ended: {"kind":"exited","code":11}/)
  supervisor.process.kill('SIGINT')
  t.same(await supervisor.ended(), { code: 0, signal: null })
})

t.test('who ignores SIGTERM gets SIGKILL after the time of grace, and so do its own', { skip }, async (t) => {
  const stubborn = 'trap "" TERM; sleep 600 & setsid sleep 601 & echo its $!; wait; wait; wait'
  const supervisor = supervise(t, [stubborn, 'exec sleep 600'], { GRACE_MS: '100' })
  const pid = await supervisor.logged(/^service 1 started as (\d+)$/)
  const daemon = await supervisor.logged(/^its (\d+)$/)
  supervisor.process.kill('SIGTERM')
  await supervisor.logged(/^SIGTERM: stopping$/)
  await supervisor.logged(/^still there after 100 ms: (\d+)$/)
  t.same(await supervisor.ended(), { code: 0, signal: null })
  t.match(
    supervisor.log().find((line) => line.startsWith('service 1 ended')),
    /SIGKILL/,
  )
  t.ok(isGone(pid))
  t.ok(isGone(daemon))
  t.equal(supervisor.log().at(-1), 'nobody is left')
})

t.test('without a service it stops all the same', { skip }, async (t) => {
  const supervisor = supervise(t, [])
  await supervisor.logged(/^supervisor (\d+)$/)
  supervisor.process.kill('SIGTERM')
  t.same(await supervisor.ended(), { code: 0, signal: null })
  t.same(supervisor.log(), [`supervisor ${supervisor.pid}`, 'SIGTERM: stopping', 'nobody is left'])
})
