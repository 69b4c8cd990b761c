// A descriptor that is open at the fork shares its offset: where one process reads or writes, the other goes on. A log
// that two read line by line is read by halves. Remedies: to say at each call from where to read, as pread(2) does, or
// to open the file again, which makes an offset of its own.
import { mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _exit, fork, waitpid } from 'truefork'
import { say } from '../support/say'

const directory = mkdtempSync(join(tmpdir(), 'shared-offset-'))
const path = join(directory, 'letters')
writeFileSync(path, 'abcdefgh')

/** Reads four letters in the child, and then in the parent. */
function readInBoth(name: string, readFour: () => string): void {
  const pid = fork()
  if (pid === 0) {
    say(`${name}: the child reads ${readFour()}`)
    _exit(0)
  }
  waitpid(pid)
  say(`${name}: the parent reads ${readFour()}`)
}

function fourFrom(fd: number, position: number | null): string {
  const letters = Buffer.alloc(4)
  readSync(fd, letters, 0, 4, position)
  return letters.toString()
}

const fd = openSync(path, 'r')
readInBoth('read', () => fourFrom(fd, null))
readInBoth('pread', () => fourFrom(fd, 0))
readInBoth('opened again', () => fourFrom(openSync(path, 'r'), null))
rmSync(directory, { recursive: true })
