import t from 'tap'
import { linesOf, singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads
const ringed = { env: { UV_USE_IO_URING: '1' } }

/** Whether Node makes rings here that the kernel serves by a thread. Others are made anew for the child. */
async function withoutRings(): Promise<string | false> {
  const [threads] = (await linesOf(
    `fs.stat('/', () => console.log(JSON.stringify(fs.readdirSync('/proc/self/fd').map((fd) => {
      try { return /^SqThread:\\s*(\\S+)/m.exec(fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1] } catch { return '-1' }
    }))))`,
    ringed,
  )) as [string[]]
  return threads.every((thread) => thread === '-1')
    ? 'this kernel, or this release of libuv, makes no ring that the kernel serves by a thread'
    : false
}

t.test('a ring that the kernel serves by a thread refuses unless it is accepted', { skip }, async (t) => {
  const reason = await withoutRings()
  if (reason !== false) {
    t.pass('no ring', { skip: reason })
    return
  }
  const lines = await hazardLines(
    `fs.stat('/', async () => {
      const report = forkHazards()
      say(report.hazards.map(({ id, severity }) => id + ' ' + severity).join(), report.safe, forkHazards({ accept: ['io-uring'] }).safe)
      say(...(await answers('io-uring')))
      fs.stat('/', (error, stats) => say(stats.isDirectory()))
    })`,
    ringed,
  )
  t.same(lines, [['io-uring unsafe', false, true], answersFor('io-uring', 'unsafe'), [true]])
})

t.test("under 'caller' as well: the child hangs or crashes by the ring", { skip }, async (t) => {
  const reason = await withoutRings()
  if (reason !== false) {
    t.pass('no ring', { skip: reason })
    return
  }
  const lines = await hazardLines(
    `fs.stat('/', async () => {
      const alone = { threads: 'caller' }
      // In the midst of what the ring has brought: libuv goes on with it, but no longer by the same ring.
      const pid = fork({ ...alone, accept: ['io-uring'] })
      let left = 20
      const go = () => (left-- > 0 ? fs.stat('/', go) : _exit(0))
      if (pid === 0) return go()
      say(moves(pid).kind === 'exited')
      say(...(await answers('io-uring', alone)))
    })`,
    { ...ringed, ...singleThreaded },
  )
  t.same(lines, [[false], answersFor('io-uring', 'unsafe')])
})

t.test('without such a ring there is none', { skip }, async (t) => {
  const lines = await hazardLines(`fs.stat('/', () => say(told('io-uring').severity, answer({})))`, {
    env: { UV_USE_IO_URING: '0' },
  })
  t.same(lines, [['none', 'forks']])
})
