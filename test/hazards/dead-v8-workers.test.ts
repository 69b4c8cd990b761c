import t from 'tap'
import { linesOf, runForking, singleThreaded } from '../support/fork'

t.test('a Node with its threads is refused, and nothing is forked', async (t) => {
  const lines = await linesOf(`
    for (const options of [{ threads: 'caller' }, { threads: 'caller', hazards: 'refuse', accept: ['not-main-thread'] }]) {
      try { fork(options) } catch ({ name, code, hazards, message }) {
        console.log(JSON.stringify([name, code, hazards.map(({ id, severity }) => [id, severity]), message.includes(hazards[0].remedy)]))
      }
    }
    try { wait() } catch ({ code }) { console.log(code) }
  `)
  const refusal = ['ForkHazardError', 'ERR_FORK_HAZARD', [['dead-v8-workers', 'unsafe']], true]
  t.same(lines, [refusal, refusal, 'ECHILD'])
})

t.test('who accepts the hazard, or ignores all, forks without a word', async (t) => {
  const { stdout, stderr } = await runForking(`
    for (const options of [{ threads: 'caller', accept: ['dead-v8-workers'] }, { threads: 'caller', hazards: 'ignore' }]) {
      const pid = fork(options)
      if (pid === 0) _exit(4)
      console.log(ending(pid))
    }
  `)
  t.equal(stdout, '4\n4\n')
  t.equal(stderr, '')
})

t.test("under warn the parent is told once, by the hazard's id, and forks", async (t) => {
  const lines = await linesOf(`
    process.removeAllListeners('warning')
    process.on('warning', ({ name, code }) => console.log(name, code))
    const pid = fork({ threads: 'caller', hazards: 'warn' })
    if (pid === 0) _exit(4)
    console.log(ending(pid))
  `)
  t.same(lines, [4, 'ForkHazardWarning dead-v8-workers'])
})

t.test('a Node started without threads forks', async (t) => {
  const { stdout, stderr } = await runForking(
    `
    console.log(require('truefork').forkHazards({ threads: 'caller' }).safe)
    const pid = fork({ threads: 'caller' })
    if (pid === 0) _exit(4)
    console.log(ending(pid))
  `,
    singleThreaded,
  )
  t.equal(stdout, 'true\n4\n')
  t.equal(stderr, '')
})

t.test('both flags are needed, in whatever spelling', async (t) => {
  const isSafe = async (...nodeOptions: string[]) =>
    (await linesOf(`console.log(require('truefork').forkHazards({ threads: 'caller' }).safe)`, { nodeOptions }))[0]
  t.equal(await isSafe('--single-threaded'), false)
  t.equal(await isSafe('--v8-pool-size=0'), false)
  t.equal(await isSafe('--single-threaded', '--v8-pool-size=02'), false)
  t.equal(await isSafe('--single_threaded', '--v8-pool-size', '0'), true)
})

t.test('forkHazards tells what there is without forking', async (t) => {
  const lines = await linesOf(`
    const { forkHazards } = require('truefork')
    const { safe, hazards, threads } = forkHazards({ threads: 'caller' })
    console.log(JSON.stringify([safe, hazards.map(({ id }) => id), forkHazards({ threads: 'caller', accept: ['dead-v8-workers'] }).safe]))
    console.log(JSON.stringify([threads[0].tid === process.pid, threads[0].role, threads.length === fs.readdirSync('/proc/self/task').length]))
    console.log(threads.every(({ tid, name, state }) => tid > 0 && name !== '' && 'RSDTtZX'.includes(state)))
    try { wait() } catch ({ code }) { console.log(code) }
  `)
  t.same(lines, [[false, ['dead-v8-workers'], true], [true, 'main', true], true, 'ECHILD'])
})

t.test('a wrong option is a coded error, and nothing is forked', async (t) => {
  const lines = await linesOf(`
    const wrong = [
      [7, 'ERR_INVALID_ARG_TYPE'], [{ threads: 1 }, 'ERR_INVALID_ARG_TYPE'], [{ threads: 'none' }, 'ERR_INVALID_ARG_VALUE'],
      [{ hazards: true }, 'ERR_INVALID_ARG_TYPE'], [{ hazards: 'maybe' }, 'ERR_INVALID_ARG_VALUE'],
      [{ accept: 'dead-v8-workers' }, 'ERR_INVALID_ARG_TYPE'], [{ accept: ['no-such-hazard'] }, 'ERR_INVALID_ARG_VALUE'],
      [{ drainMs: '1' }, 'ERR_INVALID_ARG_TYPE'], [{ drainMs: -1 }, 'ERR_OUT_OF_RANGE'], [{ drainMs: NaN }, 'ERR_OUT_OF_RANGE'],
    ]
    for (const call of [fork, require('truefork').forkHazards]) {
      for (const [options, code] of wrong) assert.throws(() => call(options), { code })
    }
    assert.throws(() => _exit(), { code: 'ERR_INVALID_ARG_TYPE' })
    assert.throws(() => _exit(2 ** 31), { code: 'ERR_OUT_OF_RANGE' })
    try { wait() } catch ({ code }) { console.log(code) }
  `)
  t.same(lines, ['ECHILD'])
})
