// Output that is still in a buffer at the fork is in two buffers after it, and printed twice. C programs know it from
// printf(3). Node writes to files, pipes and terminals at once; but a stream that is corked or piped through another,
// a logger that collects lines, and a socket that can't keep up have such a buffer. Remedies: to flush before the fork, or
// to end the child by _exit, which flushes nothing.
import { _exit, fork, waitpid } from 'truefork'

const { stdout } = process

/** Writes to a buffer, forks, and has each process flush what it has. */
function writeAndFork(words: string, beforeFork: () => void, endOfChild: () => void): void {
  stdout.cork()
  stdout.write(`${words}\n`)
  beforeFork()
  const pid = fork()
  if (pid === 0) endOfChild()
  waitpid(pid)
  flush()
}

function flush(): void {
  while (stdout.writableCorked > 0) stdout.uncork()
}

const flushAndExit = (): never => {
  flush()
  return _exit(0)
}

writeAndFork('in the buffer at the fork', () => {}, flushAndExit)
writeAndFork('flushed before the fork', flush, flushAndExit)
writeAndFork(
  'not flushed by the child',
  () => {},
  () => _exit(0),
)
