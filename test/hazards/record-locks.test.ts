import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'

const skip = withoutAllThreads || withoutCompiler
const headers = ['fcntl.h', 'stdio.h', 'stdlib.h', 'sys/file.h', 'unistd.h']

/** JavaScript that runs a C statement on a file opened by C; its path, too. */
function onFile(t: Test, statement: string): [load: string, path: string] {
  const directory = folderOf(t)
  const path = join(directory, 'locked')
  writeFileSync(path, '0123456789')
  const load = onLoad(
    directory,
    headers,
    `int fd = open(${JSON.stringify(path)}, O_RDWR);
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
    ${statement}`,
  )
  return [load, path]
}

t.test('a record lock is told with the file and its bytes, and the child hasn’t got it', { skip }, async (t) => {
  const [lock, path] = onFile(t, 'if (fcntl(fd, F_SETLK, &range) != 0) abort();')
  const [ask] = onFile(
    t,
    `fd = open(${JSON.stringify(path)}, O_RDWR); fcntl(fd, F_GETLK, &range); printf("[%d]\\n", range.l_type == F_UNLCK); fflush(stdout);`,
  )
  const lines = await hazardLines(`${lock}
    const { severity, detail } = told('record-locks')
    say(severity, detail)
    const pid = fork()
    // One's own locks are no hindrance: that of another process is one.
    if (pid === 0) { ${ask} _exit(0) }
    ending(pid)
    ${ask}`)
  const [[severity, detail], ...free] = lines as [[string, string], ...unknown[]]
  t.equal(severity, 'notice')
  t.match(detail, new RegExp(`1 record lock .*: \\d+ \\(${path}\\) write 2-4$`))
  t.same(free, [[0], [1]])
})

t.test('locks that parent and child have in common are none', { skip }, async (t) => {
  const [flock] = onFile(t, 'if (flock(fd, LOCK_EX) != 0) abort();')
  const [ofd] = onFile(t, 'if (fcntl(fd, F_OFD_SETLK, &range) != 0) abort();')
  t.same(await hazardLines(`${flock} ${ofd} say(told('record-locks').severity)`), [['none']])
})

t.test('nor is one that was another’s of the same number of bytes', { skip }, async (t) => {
  const [lock] = onFile(t, 'if (fcntl(fd, F_SETLK, &range) != 0) abort();')
  const other = `const other = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(`${lock} console.log(1); setInterval(() => {}, 1000)`)}])`
  t.same(
    await hazardLines(`${other}
      other.stdout.once('data', () => { say(told('record-locks').severity); other.kill('SIGKILL') })`),
    [['none']],
  )
})

t.test('it never refuses', { skip }, async (t) => {
  const [lock] = onFile(t, 'if (fcntl(fd, F_SETLK, &range) != 0) abort();')
  t.same(await hazardLines(`${lock} answers('record-locks').then((all) => say(...all))`), [
    answersFor('record-locks', 'notice'),
  ])
})
