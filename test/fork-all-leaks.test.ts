// Many forks, and long chains of them, leave nothing behind.
import t from 'tap'
import { linesOf, withoutAllThreads } from './support/fork'
import { imageBy } from './support/process-state'

const skip = withoutAllThreads

const images = imageBy('RssAnon')

interface Image {
  descriptors: number
  threads: number
  mappings: number
  kilobytes: number
}

t.test('a thousand forks leave the parent as it was', { skip }, async (t) => {
  const [before, after, rest] = (await linesOf(
    `${images}
    const { Worker } = require('node:worker_threads')
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true }).on('online', async () => {
      await fs.promises.stat('/')
      const turns = async (count) => {
        for (let i = 0; i < count; i++) {
          const pid = fork()
          if (pid === 0) _exit(0)
          assert.strictEqual(ending(pid), 0)
          if (i % 100 === 0) await new Promise(setImmediate) // Node frees handles of the addon between turns of the loop
        }
      }
      await turns(100) // the heap grows to its working size
      console.log(JSON.stringify(image()))
      await turns(900)
      console.log(JSON.stringify(image()))
      try { wait() } catch ({ code }) { console.log(code) }
      worker.terminate()
    })
  `,
    { nodeOptions: ['--expose-gc'], timeoutMs: 90_000 },
  )) as [Image, Image, string]
  t.equal(rest, 'ECHILD')
  t.equal(after.descriptors, before.descriptors)
  t.equal(after.threads, before.threads)
  // V8 maps and unmaps pages of its heap as it collects: a leak of one a fork would be 900.
  t.ok(Math.abs(after.mappings - before.mappings) < 100, `mappings ${before.mappings}, then ${after.mappings}`)
  // A leak of two pages a fork would be 7200.
  t.ok(after.kilobytes - before.kilobytes < 6000, `kilobytes ${before.kilobytes}, then ${after.kilobytes}`)
})

t.test(
  'a chain of thirty generations ends link by link, and the last has no more than the first',
  { skip },
  async (t) => {
    const lines = (await linesOf(
      `${images}
    const links = 30
    fs.stat('/', async () => {
      let generation = 0
      for (; generation < links; generation++) {
        const pid = fork()
        if (pid !== 0) { process.exitCode = ending(pid); break }
        // Each lives a little: timers, the thread pool, garbage.
        await fs.promises.stat('/')
        await new Promise((resolve) => setTimeout(resolve, 1))
        if (generation === 0 || generation === links - 1) console.log(JSON.stringify(image()))
      }
      if (generation === links) process.exitCode = 42
      if (generation === 0) console.log(process.exitCode)
      if (generation === 0) process.exitCode = 0
    })
  `,
      { nodeOptions: ['--expose-gc'], timeoutMs: 90_000 },
    )) as [Image, Image, number]
    const [first, last, code] = lines
    t.equal(code, 42)
    t.equal(last.descriptors, first.descriptors)
    t.equal(last.threads, first.threads)
    t.ok(last.mappings - first.mappings < 100, `mappings ${first.mappings}, then ${last.mappings}`)
    t.ok(last.kilobytes - first.kilobytes < 16_384, `kilobytes ${first.kilobytes}, then ${last.kilobytes}`)
  },
)

t.test('two hundred children that fork at once, each with a child of its own, all end well', { skip }, async (t) => {
  const lines = await linesOf(
    `
    const tally = {}
    for (let i = 0; i < 200; i++) {
      const pid = fork()
      if (pid === 0) {
        // Before its threads have all run for the first time.
        const grandchild = fork()
        if (grandchild === 0) _exit(7)
        _exit(ending(grandchild) === 7 ? 8 : 9)
      }
      const end = ending(pid)
      tally[end] = (tally[end] ?? 0) + 1
    }
    console.log(JSON.stringify(tally))
  `,
    { timeoutMs: 60_000 },
  )
  t.same(lines, [{ 8: 200 }])
})
