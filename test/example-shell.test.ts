// The shell of the examples, with somebody at its keyboard.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { kill, tcgetpgrp } from 'truefork'
import { root } from './support/program'
import { type Session, startSession } from './support/session'

async function startShell(t: Test): Promise<Session> {
  const session = startSession(t, [process.execPath, join(root, 'out', 'examples', '15-shell.js')])
  await session.seen('$ ')
  return session
}

/** Types a line and waits for its echo, so that what comes next is the answer. */
async function enter(session: Session, line: string): Promise<void> {
  session.type(`${line}\n`)
  await session.seen(`${line}\r\n`)
}

async function answer(session: Session, line: string): Promise<string[]> {
  await enter(session, line)
  const text = await session.seen(/(^|\n)\$ $/)
  return text.replace(/\$ $/, '').split('\r\n').filter(Boolean)
}

/** Until the terminal belongs to a job, or again to the shell. */
async function foreground(session: Session, isJob: boolean): Promise<number> {
  for (;;) {
    const group = tcgetpgrp(session.master)
    if ((group !== session.pid) === isJob) return group
    await new Promise(setImmediate)
  }
}

async function leave(t: Test, session: Session, code: number): Promise<void> {
  await enter(session, `exit ${code}`)
  t.same(await session.ended(), { kind: 'exited', code })
}

t.test('pipelines, redirections, quotes and cd', async (t) => {
  const directory = t.testdir({})
  const session = await startShell(t)
  t.same(await answer(session, 'echo one two | tr a-z A-Z | sed s/O/0/g'), ['0NE TW0'])
  t.same(await answer(session, `cd ${directory}`), [])
  t.same(await answer(session, 'pwd'), [directory])
  t.same(await answer(session, "echo 'a | b' > words"), [])
  t.same(await answer(session, 'echo more >> words'), [])
  t.same(await answer(session, 'cat < words'), ['a | b', 'more'])
  t.match(await answer(session, 'no-such-program'), [/^ENOENT: /])
  t.same(await answer(session, 'echo x |'), ['a command is missing'])
  await leave(t, session, 7)
})

t.test('Ctrl-C ends the job and not the shell, nor does it at the prompt', async (t) => {
  const session = await startShell(t)
  await enter(session, 'sleep 600 | cat')
  const group = await foreground(session, true)
  t.ok(group > 0)
  session.type('\x03')
  await session.seen('SIGINT')
  await session.seen('$ ')
  t.equal(await foreground(session, false), session.pid)
  session.type('half a line\x03')
  await session.seen('^C')
  await session.seen('$ ')
  t.same(await answer(session, 'echo still here'), ['still here'])
  t.throws(() => kill(-group, 0), { code: 'ESRCH' }, 'nobody of the job is left')
  await leave(t, session, 0)
})

t.test('Ctrl-Z stops a job; bg and fg have it go on', async (t) => {
  const session = await startShell(t)
  await enter(session, 'cat | cat')
  const group = await foreground(session, true)
  session.type('both are there\n')
  await session.seen('both are there\r\nboth are there\r\n') // the echo, and what two cats passed on
  session.type('\x1a')
  await session.seen('[1] Stopped  cat | cat\r\n$ ')
  t.equal(await foreground(session, false), session.pid)
  t.same(await answer(session, 'jobs'), ['[1] Stopped  cat | cat'])
  await enter(session, 'fg')
  t.equal(await foreground(session, true), group)
  session.type('typed\n')
  await session.seen('typed\r\ntyped\r\n')
  session.type('\x1a')
  await session.seen('[1] Stopped  cat | cat\r\n$ ')
  // A job in the background may not read: it is stopped again when it does.
  t.same(await answer(session, 'bg %1'), ['cat | cat'])
  for (;;) {
    const [state] = await answer(session, 'jobs')
    if (state === '[1] Stopped  cat | cat') break
  }
  await enter(session, 'fg 1')
  await foreground(session, true)
  session.type('\x04')
  await session.seen('$ ')
  t.same(await answer(session, 'jobs'), [])
  t.same(await answer(session, 'fg'), ['no such job'])
  await leave(t, session, 0)
})

t.test('a job in the background tells of its end, and leaves the terminal to the shell', async (t) => {
  const session = await startShell(t)
  const [first = ''] = await answer(session, 'sleep 600 &')
  const pid = Number(/^\[1\] (\d+)$/.exec(first)?.[1])
  t.ok(pid > 0)
  t.same(await answer(session, 'jobs'), ['[1] Running  sleep 600'])
  t.equal(tcgetpgrp(session.master), session.pid)
  t.match(await answer(session, 'sleep 600 | cat &'), [/^\[2\] \d+$/])
  kill(pid, 'SIGTERM')
  let lines: string[] = []
  while (!lines.some((line) => line.includes('Done'))) lines = lines.concat(await answer(session, 'echo'))
  t.same(lines, ['SIGTERM', '[1] Done  sleep 600'])
  t.same(await answer(session, 'jobs'), ['[2] Running  sleep 600 | cat'])
  await leave(t, session, 3)
})

t.test('Ctrl-D leaves, and what is stopped is not left behind', async (t) => {
  const session = await startShell(t)
  await enter(session, 'cat')
  const group = await foreground(session, true)
  session.type('it is there\n')
  await session.seen('it is there\r\nit is there\r\n')
  session.type('\x1a')
  await session.seen('Stopped  cat\r\n$ ')
  session.type('\x04')
  t.same(await session.ended(), { kind: 'exited', code: 0 })
  for (;;) {
    try {
      kill(-group, 0)
    } catch (error) {
      t.equal((error as NodeJS.ErrnoException).code, 'ESRCH')
      break
    }
    await new Promise(setImmediate)
  }
})
