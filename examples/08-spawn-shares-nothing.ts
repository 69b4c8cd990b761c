// The same under posix_spawn. The child is a new program from its first line: the parent's variables were never
// there, and a descriptor that Node opened is closed by exec (FD_CLOEXEC). Only what the parent hands over arrives:
// arguments, environment, and descriptors by a file action.
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { F_DUPFD_CLOEXEC, type FileAction, fcntl, posix_spawn, waitpid } from 'truefork'
import { say } from './support/say'

let word = 'never set'

function asParent(): void {
  const directory = mkdtempSync(join(tmpdir(), 'spawn-shares-'))
  try {
    const path = join(directory, 'log')
    // A high number, which a new Node doesn't use for something of its own.
    const fd = fcntl(openSync(path, 'w'), F_DUPFD_CLOEXEC, 100)
    word = 'set by the parent'
    writeSync(fd, 'parent\n')
    say(`parent: the word is ${word}, the file is open as ${fd}`)

    runChild('not handed over', fd, [])
    runChild('handed over', fd + 1, [{ action: 'dup2', fd, newFd: fd + 1 }])
    say(`parent: the file holds ${JSON.stringify(readFileSync(path, 'utf8'))}`)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function runChild(title: string, fd: number, fileActions: FileAction[]): void {
  waitpid(posix_spawn(process.execPath, [process.execPath, __filename, title, String(fd)], { fileActions }))
}

function asChild(title: string, fd: number): void {
  say(`child, ${title}: the word is ${word}`)
  try {
    writeSync(fd, 'child\n')
    say(`child, ${title}: writing to ${fd} succeeded`)
  } catch (error) {
    say(`child, ${title}: writing to ${fd} failed with ${(error as NodeJS.ErrnoException).code}`)
  }
}

const [, , title, fd] = process.argv
if (title === undefined) asParent()
else asChild(title, Number(fd))
