import t from 'tap'
import { singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads
const open = `const inspector = require('node:inspector'); inspector.open(0);`

t.test('an open inspector is told with its address, and its thread with its role', { skip }, async (t) => {
  const lines = await hazardLines(`${open}
    const { severity, detail } = told('inspector-open')
    say(severity, detail.includes(inspector.url()), forkHazards().threads.filter(({ role }) => role === 'inspector').length)
    say(told('inspector-open', { threads: 'caller' }).severity)`)
  t.same(lines, [['notice', true, 1], ['notice']])
})

t.test('a closed one is none', { skip }, async (t) => {
  const lines = await hazardLines(`
    say(told('inspector-open').severity)
    ${open} inspector.close()
    say(told('inspector-open').severity, forkHazards().threads.some(({ role }) => role === 'inspector'))`)
  t.same(lines, [['none'], ['none', false]])
})

t.test('it never refuses', { skip }, async (t) => {
  const source = `${open} answers('inspector-open', OPTIONS).then((all) => say(...all))`
  t.same(await hazardLines(source.replace('OPTIONS', '{}')), [answersFor('inspector-open', 'notice')])
  t.same(await hazardLines(source.replace('OPTIONS', `{ threads: 'caller' }`), singleThreaded), [
    answersFor('inspector-open', 'notice'),
  ])
})
