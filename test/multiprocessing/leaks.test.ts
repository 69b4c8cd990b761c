// Shared memory that is dropped is given back.
import t from 'tap'
import { saidBy } from './support/sharing'

t.setTimeout(240_000) // for a busy machine

const exposed = { nodeOptions: ['--expose-gc'], timeoutMs: 120_000 }

// mappings: how many of ours there are, and their size in kilobytes.
const counting = `
  const { fdTable } = require('truefork')
  const mappings = () => {
    const lines = fs.readFileSync('/proc/self/maps', 'latin1').split('\\n').filter((line) => line.includes('memfd:truefork'))
    const size = (line) => { const [start, end] = line.split(' ')[0].split('-'); return parseInt(end, 16) - parseInt(start, 16) }
    return [lines.length, lines.map(size).reduce((sum, one) => sum + one, 0) / 1024]
  }
  const files = () => fdTable().filter(({ target }) => target.includes('memfd:truefork')).length
  const collected = async () => { for (let i = 0; i < 3; i++) { gc(); await pause(2) } }
`
const onLinux = process.platform === 'linux' ? false : 'counts what /proc tells'

t.test('ten thousand of each kind leave no mapping and no descriptor behind', { skip: onLinux }, async (t) => {
  const lines = await saidBy(
    `${counting}
    for (const make of [
      () => new Lock(), () => new Semaphore(), () => new Event(), () => new Barrier(2), () => new Condition(),
      () => new Value('i'), () => new SharedArray('d', 1000), () => new SharedArray('d', 300_000),
    ]) {
      const count = make().length > 1000 ? 500 : 10_000
      for (let i = 0; i < count; i++) {
        make()
        if (i % 2500 === 0) await collected()
      }
      await collected()
      const [number, size] = mappings()
      say(number < 12 && files() < 12 && size < 64 * 1024, String(make), number, files(), size)
    }`,
    exposed,
  )
  t.equal(lines.length, 8)
  for (const line of lines as [boolean, ...unknown[]][]) t.ok(line[0], JSON.stringify(line))
})

t.test('locks that were acquired, waited for and given up are collected, too', { skip: onLinux }, async (t) => {
  const lines = await saidBy(
    `${counting}
    const turn = async () => {
      const lock = new Lock()
      await lock.acquire()
      await Promise.all([lock.acquire(1), lock.acquire({ signal: AbortSignal.timeout(1) }).catch(() => {})])
      lock.release()
    }
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 200 }, turn))
      await collected()
    }
    const [number, size] = mappings()
    say(number < 6, size < 1024, fs.readdirSync('/proc/self/task').length < 20)`,
    exposed,
  )
  t.same(lines, [[true, true, true]])
})

t.test('a lock for each of many children is given back', { skip: onLinux }, async (t) => {
  const lines = await saidBy(
    `${counting}
    for (let i = 0; i < 100; i++) {
      const lock = new Lock()
      const array = new SharedArray('i', 10_000)
      const pid = await started(async () => { await lock.acquire(); array[0] = 1; process.kill(process.pid, 'SIGKILL') })
      await ended(pid)
      if (!(await lock.acquire()) || !lock.ownerDied || array[0] !== 1) say('wrong', i)
      lock.release()
      if (i % 20 === 0) await collected()
    }
    await collected()
    const [number] = mappings()
    say(number < 6, files() < 6)`,
    exposed,
  )
  t.same(lines, [[true, true]])
})
