import t from 'tap'
import { singleThreaded } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const caller = `const options = { threads: 'caller' };`

t.test('the thread pool would be missing in the child of one thread, which starts another', async (t) => {
  const lines = await hazardLines(
    `${caller} fs.stat('/', () => {
      const { severity, detail } = told('dead-pool-threads', options)
      say(severity, detail.startsWith("4 threads of libuv's pool"))
      const pid = fork(options)
      if (pid === 0) fs.stat('/', (error, stats) => _exit(stats.isDirectory() ? 3 : 4))
      else say(ending(pid))
    })`,
    singleThreaded,
  )
  t.same(lines, [['notice', true], [3]])
})

t.test('a pool that nobody has used isn’t missed, and under all threads none is', async (t) => {
  const lines = await hazardLines(
    `${caller} say(told('dead-pool-threads', options).severity)
    fs.stat('/', () => say(told('dead-pool-threads').severity))`,
  )
  t.same(lines, [['none'], ['none']])
})

t.test('it never refuses', async (t) => {
  const lines = await hazardLines(
    `${caller} fs.stat('/', async () => say(...(await answers('dead-pool-threads', options))))`,
    singleThreaded,
  )
  t.same(lines, [answersFor('dead-pool-threads', 'notice')])
})
