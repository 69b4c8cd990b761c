import t from 'tap'
import { singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads
// A lock of Atomics on a word of memory, that a Worker holds: its word is the holder's tid.
const lock = `
  const { Worker } = require('node:worker_threads')
  const word = new Int32Array(new SharedArrayBuffer(4))
  const mutex = { name: 'the cache', shared: false, holder: () => (word[0] === 0 ? null : { pid: process.pid, tid: word[0] }) }
  const forget = registerMutex(mutex)
  const alone = { threads: 'caller' }
  const held = (next) => {
    const hold = 'const { workerData: word, parentPort } = require("node:worker_threads"); word[0] = require("truefork").gettid(); parentPort.postMessage("held"); setInterval(() => {}, 1000)'
    const worker = new Worker(hold, { eval: true, workerData: word }).once('message', async () => { await next(); worker.terminate() })
  }
`

t.test("a lock that a Worker holds is told, and under 'caller' the child never gets it", { skip }, async (t) => {
  const lines = await hazardLines(
    `${lock} held(() => {
      const { severity, detail, tid } = told('locked-mutex', alone)
      say(severity, detail.includes('"the cache"'), tid === word[0], told('locked-mutex').severity)
      const pid = fork({ ...alone, accept: ['locked-mutex', 'live-workers'] })
      if (pid === 0) _exit(Atomics.wait(word, 0, word[0]) === 'ok' ? 0 : 1)
      say(moves(pid))
    })`,
    singleThreaded,
  )
  t.same(lines, [['unsafe', true, true, 'notice'], ['hangs']])
})

t.test('a free lock is none, nor is one that this thread holds, that is shared, or forgotten', { skip }, async (t) => {
  const lines = await hazardLines(
    `${lock} held(() => {
      const severity = () => told('locked-mutex', alone).severity
      const tid = word[0]
      word[0] = 0
      say(severity())
      word[0] = require('truefork').gettid()
      say(severity())
      word[0] = tid
      const others = registerMutex({ ...mutex, shared: true })
      say(severity())
      forget()
      say(severity())
    })`,
    singleThreaded,
  )
  t.same(lines, [['none'], ['none'], ['unsafe'], ['none']])
})

t.test("it refuses under 'caller' unless it is accepted, and never under 'all'", { skip }, async (t) => {
  const lines = await hazardLines(
    `${lock} held(async () => {
      say(...(await answers('locked-mutex')))
      say(...(await answers('locked-mutex', { ...alone, hazards: undefined })))
    })`,
    singleThreaded,
  )
  t.same(lines[0], answersFor('locked-mutex', 'notice'))
  t.same(lines[1], [
    'live-workers unsafe,locked-mutex unsafe',
    'live-workers unsafe',
    'forks',
    'forks',
    'live-workers,locked-mutex',
  ])
})

t.test('what is no mutex is refused', async (t) => {
  const lines = await hazardLines(`
    const whole = { name: 'x', shared: false, holder: () => null }
    for (const wrong of [undefined, null, 7, {}, { ...whole, name: 1 }, { ...whole, shared: 'no' }, { ...whole, holder: null }]) {
      assert.throws(() => registerMutex(wrong), { code: 'ERR_INVALID_ARG_TYPE' })
    }
    say('done')`)
  t.same(lines, [['done']])
})
