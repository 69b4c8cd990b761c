import t from 'tap'
import { withoutAllThreads } from '../support/fork'
import { hazardLines } from '../support/hazards'

const skip = withoutAllThreads
const asRoot = process.getuid?.() === 0 ? skip : 'only root can become a user of whom nothing else runs'
// Twice as many as there are is one child's worth.
const limited = (threads: string) => `
  const { RLIMIT_NPROC, setrlimit } = require('truefork')
  const threads = fs.readdirSync('/proc/self/task').length
  process.setgid(54321)
  process.setuid(54321)
  setrlimit(RLIMIT_NPROC, ${threads}, ${threads});`

t.test('a limit below what a child needs is told, and such a fork fails', { skip: asRoot }, async (t) => {
  const lines = await hazardLines(`${limited('2 * threads - 1')}
    const { severity, detail } = told('nproc-limit')
    say(severity, detail.includes('(RLIMIT_NPROC)'), detail.endsWith('the ' + threads + ' threads of a child'))
    try { fork() } catch ({ name, code }) { say(name, code) }`)
  t.same(lines, [
    ['notice', true, true],
    ['PosixError', 'EAGAIN'],
  ])
})

t.test('one that just suffices is none, nor is any for root', { skip: asRoot }, async (t) => {
  t.same(await hazardLines(`${limited('2 * threads')} say(told('nproc-limit').severity, answer({}))`), [
    ['none', 'forks'],
  ])
  const lines = await hazardLines(`
    const { RLIMIT_NPROC, setrlimit } = require('truefork')
    setrlimit(RLIMIT_NPROC, 1, 1)
    say(told('nproc-limit').severity, answer({}))`)
  t.same(lines, [['none', 'forks']])
})

t.test('an ordinary process is told nothing', { skip }, async (t) => {
  t.same(await hazardLines(`say(told('nproc-limit').severity)`), [['none']])
})

t.test("it never refuses: 'caller' needs room for one alone", { skip: asRoot }, async (t) => {
  const lines = await hazardLines(`${limited('threads + 1')}
    say(told('nproc-limit', { threads: 'caller' }).severity, told('nproc-limit').severity)
    const policies = [{}, { accept: ['nproc-limit'] }, { hazards: 'warn' }, { hazards: 'ignore' }]
    for (const policy of policies) try { fork(policy) } catch ({ name }) { say(name) }`)
  t.same(lines, [['none', 'notice'], ...Array(4).fill(['PosixError'])])
})
