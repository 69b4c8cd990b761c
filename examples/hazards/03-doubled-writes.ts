// What was handed to the thread pool and isn't done yet is in both processes after a fork, and both do it: a line comes
// twice, an upload is sent twice, a file is renamed twice. So fork first lets the pool finish what it was given before.
// Here it is kept from that: the pool is held up by reads of an empty pipe, and the hazard that fork would refuse by,
// inflight-requests, is accepted. Then the same with a pool that can finish.
import { mkdtempSync, openSync, read, readFileSync, rmSync, write, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { _exit, fork, pipe, waitpid } from 'truefork'
import { say } from '../support/say'

const writeAll = promisify<number, string, unknown>(write)
const poolSize = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
const lineCount = 20
const directory = mkdtempSync(join(tmpdir(), 'doubled-writes-'))

/** How many lines a file has that was given 20, and a fork while they were on their way. */
async function linesAfterFork(name: string, isDrained: boolean): Promise<number> {
  const path = join(directory, name)
  const fd = openSync(path, 'a')
  const [readEnd, writeEnd] = pipe()
  for (let thread = 0; thread < poolSize; thread++) read(readEnd, Buffer.alloc(1), 0, 1, null, () => {})
  const written = Array.from({ length: lineCount }, (_, line) => writeAll(fd, `line ${line}\n`))

  const goAhead = 'x'.repeat(poolSize) // a byte for each thread that waits
  if (isDrained) writeSync(writeEnd, goAhead)
  const pid = isDrained ? fork({ drainMs: 60_000 }) : fork({ drainMs: 0, accept: ['inflight-requests'] })
  if (!isDrained) writeSync(writeEnd, goAhead) // parent and child: there are twice as many threads now

  await Promise.all(written)
  if (pid === 0) _exit(0)
  waitpid(pid)
  return readFileSync(path, 'utf8').trimEnd().split('\n').length
}

async function main(): Promise<void> {
  try {
    say(`accepted: of ${lineCount} lines written before the fork there are ${await linesAfterFork('accepted', false)}`)
    say(`drained: of ${lineCount} lines written before the fork there are ${await linesAfterFork('drained', true)}`)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

void main()
