// A file opened before fork is one open file with two owners. The position in it belongs to the file and not to the
// descriptor, so that each goes on writing where the other stopped, and nothing is overwritten.
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _exit, fork, waitpid } from 'truefork'
import { say } from './support/say'

const directory = mkdtempSync(join(tmpdir(), 'shared-offset-'))
try {
  const path = join(directory, 'log')
  const fd = openSync(path, 'w')
  writeSync(fd, `parent ${process.pid}, before fork\n`)

  const pid = fork()
  if (pid === 0) {
    writeSync(fd, `child ${process.pid}\n`)
    _exit(0)
  }
  waitpid(pid)

  // The child has moved the position of this process's descriptor.
  writeSync(fd, `parent ${process.pid}, after the child\n`)
  say(readFileSync(path, 'utf8').trimEnd())
} finally {
  rmSync(directory, { recursive: true })
}
