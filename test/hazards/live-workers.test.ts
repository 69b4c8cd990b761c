import t from 'tap'
import { singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads
const withWorker = (body: string) => `
  const { Worker } = require('node:worker_threads')
  const echo = 'const { parentPort } = require("node:worker_threads"); parentPort.on("message", (text) => parentPort.postMessage(text))'
  const worker = new Worker(echo, { eval: true }).once('online', async () => { ${body}; worker.terminate() })
`

t.test('a Worker is in both: a notice, which names its thread', { skip }, async (t) => {
  const [[{ severity, detail }, tid]] = (await hazardLines(
    withWorker(`say(told('live-workers'), forkHazards().threads.find(({ role }) => role === 'worker').tid)`),
  )) as [[{ severity: string; detail: string }, number]]
  t.equal(severity, 'notice')
  t.match(detail, `1 Worker would run on in parent and child alike`)
  t.match(detail, `(tid ${tid})`)
})

t.test('no Worker, no hazard: neither at first nor when it has ended', { skip }, async (t) => {
  const lines = await hazardLines(`
    say(told('live-workers').severity)
    ${withWorker(`await worker.terminate(); say(told('live-workers').severity)`)}`)
  t.same(lines, [['none'], ['none']])
})

t.test('a notice never refuses', { skip }, async (t) => {
  t.same(await hazardLines(withWorker(`say(...(await answers('live-workers')))`)), [
    answersFor('live-workers', 'notice'),
  ])
})

t.test("under 'caller' the Workers are missing, and the child waits for them for ever", { skip }, async (t) => {
  const lines = await hazardLines(
    withWorker(`
      const alone = { threads: 'caller' }
      say(told('live-workers', alone).severity, ...(await answers('live-workers', alone)))
      const pid = fork({ ...alone, accept: ['live-workers'] })
      if (pid === 0) {
        worker.on('message', () => _exit(0))
        worker.postMessage('x')
        return
      }
      say(moves(pid))`),
    singleThreaded,
  )
  t.same(lines, [['unsafe', ...answersFor('live-workers', 'unsafe')], ['hangs']])
})

t.test('a child without V8 threads is to exec or end in any case: dead-v8-workers says it all', { skip }, async (t) => {
  const lines = await hazardLines(
    withWorker(`say(told('live-workers', { threads: 'caller' }).severity, answer({ threads: 'caller' }))`),
  )
  t.same(lines, [['notice', 'dead-v8-workers unsafe']])
})
