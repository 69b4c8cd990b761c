// Only the fork itself can tell: it has to wait to know.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'

const skip = withoutAllThreads

/** JavaScript with a request that isn't done before release(): the opening of a FIFO that nobody writes to. */
function stuck(t: Test): string {
  const fifo = join(folderOf(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  return `
    const opened = new Promise((resolve) => fs.open(${JSON.stringify(fifo)}, 'r', (error, fd) => resolve(fd)))
    const release = () => fs.closeSync(fs.openSync(${JSON.stringify(fifo)}, 'w'))`
}

t.test('a request that goes on beyond drainMs is one', { skip }, async (t) => {
  const lines = await hazardLines(`${stuck(t)}
    try { fork({ drainMs: 20 }) } catch ({ hazards: [{ id, severity, detail }] }) {
      say(id, severity, detail.includes('20 ms'), told('inflight-requests').severity)
    }
    release()`)
  t.same(lines, [['inflight-requests', 'unsafe', true, 'none']])
})

t.test("under 'caller' the child waits for it for ever", async (t) => {
  const lines = await hazardLines(
    `${stuck(t)}
    const pid = fork({ threads: 'caller', drainMs: 20, accept: ['inflight-requests'] })
    if (pid === 0) { opened.then(() => _exit(0)); release() }
    else { say(moves(pid)); release() }`,
    singleThreaded,
  )
  t.same(lines, [['hangs']])
})

t.test('a request that is done in time is none', { skip }, async (t) => {
  const lines = await hazardLines(`
    require('node:crypto').pbkdf2('a', 'b', 50_000, 64, 'sha512', () => {})
    say(answer({ drainMs: 20_000 }))`)
  t.same(lines, [['forks']])
})

t.test('it refuses unless it is accepted', { skip }, async (t) => {
  const lines = await hazardLines(`${stuck(t)}
    answers('inflight-requests', { drainMs: 20 }).then((all) => { say(...all); release() })`)
  t.same(lines, [answersFor('inflight-requests', 'unsafe')])
})
