import { closeSync, openSync } from 'node:fs'
import t from 'tap'
import {
  compareFdTables,
  dup2,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  fcntl,
  fdTable,
  O_NONBLOCK,
  pipe,
} from 'truefork'

t.test('two tables that are alike have no difference', async (t) => {
  t.same(compareFdTables(fdTable(), fdTable()), { opened: [], closed: [], changed: [], text: '' })
  t.same(compareFdTables([], []), { opened: [], closed: [], changed: [], text: '' })
})

t.test('what was opened, closed and replaced is told, and printed', async (t) => {
  const closed = openSync('/dev/null', 'r')
  const [readEnd, writeEnd] = pipe()
  const replaced = openSync('/dev/null', 'r')
  const before = fdTable()
  closeSync(closed)
  const opened = dup2(0, 300)
  dup2(readEnd, replaced)
  fcntl(readEnd, F_SETFD, FD_CLOEXEC)
  fcntl(writeEnd, F_SETFL, fcntl(writeEnd, F_GETFL) | O_NONBLOCK)
  const after = fdTable()
  for (const fd of [opened, readEnd, writeEnd, replaced]) closeSync(fd)
  const info = (table: typeof before, fd: number) => table.find((row) => row.fd === fd)

  const difference = compareFdTables(before, after)
  t.same(difference.opened, [info(after, opened)])
  t.same(difference.closed, [info(before, closed)])
  t.same(
    difference.changed,
    [readEnd, writeEnd, replaced]
      .sort((one, other) => one - other)
      .map((fd) => ({ before: info(before, fd), after: info(after, fd) })),
  )
  const lines = difference.text.split('\n')
  t.equal(lines.length, 5)
  t.match(lines[0], /^opened 300: \S+ \S+/)
  t.equal(lines[1], `closed ${closed}: character-device /dev/null O_RDONLY FD_CLOEXEC`)
  const name = info(before, readEnd)?.target
  const expected = [
    `changed ${readEnd}: pipe ${name} O_RDONLY => pipe ${name} O_RDONLY FD_CLOEXEC`,
    `changed ${writeEnd}: pipe ${name} O_WRONLY => pipe ${name} O_WRONLY O_NONBLOCK`,
    `changed ${replaced}: character-device /dev/null O_RDONLY FD_CLOEXEC => pipe ${name} O_RDONLY`,
  ]
  t.same(lines.slice(2).sort(), expected.sort())
})

t.test('reading on is no difference', async (t) => {
  const info = { ...fdTable()[0], kind: 'file', offset: 0 } as ReturnType<typeof fdTable>[number]
  t.equal(compareFdTables([info], [{ ...info, offset: 10, mode: 0, peers: [1] }]).text, '')
})

t.test('what is no table is refused', async (t) => {
  for (const value of [undefined, null, 1, 'x', {}, new Map()]) {
    t.throws(() => compareFdTables(value as never, []), { code: 'ERR_INVALID_ARG_TYPE', message: /"before"/ })
    t.throws(() => compareFdTables([], value as never), { code: 'ERR_INVALID_ARG_TYPE', message: /"after"/ })
  }
})
