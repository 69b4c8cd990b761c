// What does a child get? A test harness that leaks a descriptor keeps files busy and pipes open in programs that know
// nothing of it. The parent opens four things, starts a child with file actions, and the child prints its table:
// it has what has no FD_CLOEXEC, and what an action gave it. Then the parent compares its own table with the one before.
import { closeSync, openSync } from 'node:fs'
import { compareFdTables, dup2, type FdInfo, fdTable, pipe, posix_spawn, socketpair, waitpid } from 'truefork'
import { say } from './support/say'

// High numbers, which a new Node doesn't use for something of its own.
const [given, forgotten] = [100, 110]

function asParent(): void {
  const before = fdTable()
  const kept = openSync('/dev/null', 'r') // Node sets FD_CLOEXEC
  const [readEnd, writeEnd] = pipe() // pipe(2) doesn't
  const [one, other] = socketpair()
  dup2(writeEnd, forgotten)

  const fileActions = [
    { action: 'dup2', fd: one, newFd: given },
    ...[readEnd, writeEnd, one, other].map((fd) => ({ action: 'close', fd }) as const),
  ] as const
  waitpid(posix_spawn(process.execPath, [process.execPath, __filename, 'child'], { fileActions }))

  for (const fd of [kept, readEnd, writeEnd, one, other]) closeSync(fd)
  const { opened, closed, changed } = compareFdTables(before, fdTable())
  say(`parent: opened and still open: ${opened.map(describe)}`)
  say(`parent: closed ${closed.length}, changed ${changed.length}`)
}

function asChild(): void {
  for (const info of fdTable()) {
    if (info.fd === given || info.fd === forgotten) say(`child: ${describe(info)}`)
  }
}

function describe({ fd, kind, peers, cloexec }: FdInfo): string {
  const end = peers?.length === 0 ? ', its other end not here' : ''
  return `${fd} is a ${kind}${end}, FD_CLOEXEC ${cloexec ? 'set' : 'not set'}`
}

if (process.argv[2] === 'child') asChild()
else asParent()
