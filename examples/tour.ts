// A tour of truefork on this machine. Every step makes real processes, prints what it saw, and compares it with
// what must be. The first that doesn't hold is named, and the tour ends with 1.
import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, realpathSync, rmSync, writeSync } from 'node:fs'
import { arch, release, tmpdir, type } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  _exit,
  describeStatus,
  dup2,
  execvp,
  F_SETFD,
  FD_CLOEXEC,
  fcntl,
  fork,
  kill,
  O_CREAT,
  O_WRONLY,
  PosixError,
  pipe,
  posix_spawn,
  wait,
  wait4,
  waitpid,
} from 'truefork'
import { say } from './support/say'

/** What a step saw, to be printed. */
type Findings = string[]

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'truefork-tour-')))

const steps: Readonly<Record<string, () => Findings>> = {
  'fork returns twice, in two processes': forkReturnsTwice,
  'parent and child write through one inherited descriptor': oneDescriptor,
  'the child has a copy of the memory': copyOfMemory,
  'exec replaces the program and keeps the process': execKeepsProcess,
  'posix_spawn does its file actions in the child': spawnWithFileActions,
  'wait tells how a child ended': typedStatus,
  'a failing call throws a typed error': typedError,
  'no child is left behind': nothingLeft,
}

function forkReturnsTwice(): Findings {
  const [readEnd, writeEnd] = privatePipe()
  const pid = inChild(() => writeSync(writeEnd, `${process.pid} ${process.ppid}`))
  const child = readAll(readEnd, writeEnd)
  waitpid(pid)
  assert.equal(child, `${pid} ${process.pid}`)
  return [`parent ${process.pid}: fork returned ${pid}`, `child ${pid}: fork returned 0, getppid says ${process.pid}`]
}

function oneDescriptor(): Findings {
  const path = join(directory, 'shared')
  const fd = openSync(path, 'w')
  try {
    writeSync(fd, 'parent, ')
    waitpid(inChild(() => writeSync(fd, 'child, ')))
    writeSync(fd, 'parent')
  } finally {
    closeSync(fd)
  }
  const text = readFileSync(path, 'utf8')
  assert.equal(text, 'parent, child, parent')
  return [`the file holds "${text}": they share the position too`]
}

function copyOfMemory(): Findings {
  const memory = { number: 777 }
  const [readEnd, writeEnd] = privatePipe()
  const pid = inChild(() => {
    const inherited = memory.number
    memory.number = 999
    writeSync(writeEnd, `${inherited} ${memory.number}`)
  })
  const [inherited, changed] = readAll(readEnd, writeEnd).split(' ').map(Number)
  waitpid(pid)
  assert.deepEqual([inherited, changed, memory.number], [777, 999, 777])
  return [`child: found ${inherited}, made it ${changed}`, `parent: still has ${memory.number}`]
}

function execKeepsProcess(): Findings {
  const [readEnd, writeEnd] = privatePipe()
  const pid = inChild(() => {
    dup2(writeEnd, 1)
    execvp('sh', ['sh', '-c', 'echo "$$"'])
  })
  const program = Number(readAll(readEnd, writeEnd))
  waitpid(pid)
  assert.equal(program, pid)
  return [`fork returned ${pid}, and sh finds itself to be ${program}`]
}

function spawnWithFileActions(): Findings {
  const path = join(directory, 'output')
  const pid = posix_spawn('/bin/sh', ['sh', '-c', 'pwd; echo "an error" >&2'], {
    fileActions: [
      { action: 'chdir', path: directory },
      { action: 'open', fd: 1, path: 'output', flags: O_WRONLY | O_CREAT, mode: 0o600 },
      { action: 'dup2', fd: 1, newFd: 2 },
    ],
  })
  assert.deepEqual(describeStatus(waitpid(pid).status), { kind: 'exited', code: 0 })
  assert.equal(readFileSync(path, 'utf8'), `${directory}\nan error\n`)
  return ['chdir, open and dup2: sh ran in the directory, and both its outputs are in the file']
}

function typedStatus(): Findings {
  const exited = describeStatus(waitpid(inChild(() => _exit(7))).status)
  assert.deepEqual(exited, { kind: 'exited', code: 7 })

  const sleeper = posix_spawn('/bin/sh', ['sh', '-c', 'exec sleep 60'])
  kill(sleeper, 'SIGTERM')
  const { status, rusage } = wait4(sleeper)
  const signaled = describeStatus(status)
  assert.deepEqual(signaled, { kind: 'signaled', signal: 'SIGTERM', core: false })
  return [inspect(exited), `${inspect(signaled)}, at most ${rusage.maxRSS} kB of memory`]
}

function typedError(): Findings {
  const thrown: unknown = caught(() => posix_spawn('/no/such/program', ['program']))
  assert.ok(thrown instanceof PosixError)
  assert.deepEqual([thrown.code, thrown.syscall, thrown.path], ['ENOENT', 'posix_spawn', '/no/such/program'])
  return [String(thrown)]
}

function nothingLeft(): Findings {
  const thrown: unknown = caught(wait)
  assert.ok(thrown instanceof PosixError)
  assert.equal(thrown.code, 'ECHILD')
  return [String(thrown)]
}

/** Forks a child that runs this and ends, and so never comes back to the tour. */
function inChild(run: () => void): number {
  const pid = fork()
  if (pid !== 0) return pid
  try {
    run()
    _exit(0)
  } catch (error) {
    say(inspect(error))
    _exit(1)
  }
}

/** A pipe whose ends no program inherits. */
function privatePipe(): [readEnd: number, writeEnd: number] {
  const ends = pipe()
  for (const fd of ends) fcntl(fd, F_SETFD, FD_CLOEXEC)
  return ends
}

/** All that a child writes until it ends. Closes both ends here. */
function readAll(readEnd: number, writeEnd: number): string {
  closeSync(writeEnd)
  try {
    let text = ''
    const chunk = Buffer.alloc(1024)
    for (;;) {
      const count = readSync(readEnd, chunk)
      if (count === 0) return text
      text += chunk.toString('latin1', 0, count)
    }
  } finally {
    closeSync(readEnd)
  }
}

function caught(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

function runSteps(): boolean {
  for (const [index, [name, step]] of Object.entries(steps).entries()) {
    say(`${index + 1}. ${name}`)
    try {
      for (const finding of step()) say(`   ${finding}`)
    } catch (error) {
      say(`   DOES NOT HOLD: ${name}\n${inspect(error)}`)
      return false
    }
  }
  return true
}

say(`truefork on ${type()} ${release()} ${arch()}, Node.js ${process.version}\n`)
try {
  const holds = runSteps()
  if (holds) say(`\nAll ${Object.keys(steps).length} steps hold on this machine.`)
  process.exitCode = holds ? 0 : 1
} finally {
  rmSync(directory, { recursive: true })
}
