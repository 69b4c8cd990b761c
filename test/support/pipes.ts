// Pipes whose ends no child gets unless a file action hands them over.
import { readSync } from 'node:fs'
import { F_SETFD, FD_CLOEXEC, fcntl, type Pipe, pipe } from 'truefork'

export function privatePipe(): Pipe {
  const ends = pipe()
  for (const fd of ends) fcntl(fd, F_SETFD, FD_CLOEXEC)
  return ends
}

/** All that comes until every write end is closed. */
export function readToEnd(fd: number): Buffer {
  const chunks: Buffer[] = []
  const chunk = Buffer.alloc(65_536)
  for (;;) {
    const count = readSync(fd, chunk)
    if (count === 0) return Buffer.concat(chunks)
    chunks.push(Buffer.from(chunk.subarray(0, count)))
  }
}
