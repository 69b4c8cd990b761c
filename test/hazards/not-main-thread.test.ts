import t from 'tap'
import { linesOf } from '../support/fork'

const inWorkers = (count: number, body: string) => `
  const { Worker } = require('node:worker_threads')
  for (let i = 0; i < ${count}; i++) {
    new Worker(\`
      const { fork, wait } = require('truefork')
      \${${JSON.stringify(body)}}
    \`, { eval: true })
  }
`

t.test("a Worker can't fork, whatever it accepts", async (t) => {
  const lines = await linesOf(
    inWorkers(
      1,
      `for (const hazards of ['refuse', 'warn', 'ignore']) {
        try {
          fork({ threads: 'caller', hazards, accept: ['not-main-thread', 'dead-v8-workers'] })
        } catch ({ name, code, hazards: [{ id, severity, detail, remedy }] }) {
          console.log(JSON.stringify([name, code, id, severity, detail.length > 0, remedy.length > 0]))
        }
      }
      try { wait() } catch ({ code }) { console.log(code) }`,
    ),
  )
  const refusal = ['ForkHazardError', 'ERR_FORK_HAZARD', 'not-main-thread', 'fatal', true, true]
  t.same(lines, [refusal, refusal, refusal, 'ECHILD'])
})

t.test('five Workers that fork at once are refused each', async (t) => {
  const lines = await linesOf(
    inWorkers(5, `try { fork({ threads: 'caller', hazards: 'ignore' }) } catch ({ code }) { console.log(code) }`),
  )
  t.same(lines, Array(5).fill('ERR_FORK_HAZARD')) // fork.hazard-06
})

t.test('the main thread forks while a Worker lives', async (t) => {
  const lines = await linesOf(`
    const { Worker } = require('node:worker_threads')
    const worker = new Worker('setInterval(() => {}, 1)', { eval: true }).on('online', () => {
      const pid = fork(caller)
      if (pid === 0) _exit(5)
      console.log(ending(pid))
      worker.terminate()
    })
  `)
  t.same(lines, [5]) // fork.hazard-07
})
