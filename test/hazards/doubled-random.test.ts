import t from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads

t.test('a frozen Math.random would draw the same numbers in both', { skip }, async (t) => {
  const lines = await hazardLines(`
    Math.random() // V8 seeds it at the first use
    Object.freeze(Math)
    say(told('doubled-random').severity)
    const pid = fork({ accept: ['doubled-random'] })
    if (pid !== 0) ending(pid)
    say(Math.random())`)
  t.equal(lines.length, 3)
  t.same(lines[0], ['unsafe'])
  t.same(lines[1], lines[2])
})

t.test('an ordinary one is mended, and is none', { skip }, async (t) => {
  const lines = await hazardLines(`
    say(told('doubled-random').severity)
    const pid = fork()
    if (pid !== 0) ending(pid)
    say(Math.random())`)
  t.same(lines[0], ['none'])
  t.not(String(lines[1]), String(lines[2]))
})

t.test('contexts of node:vm are a notice', { skip }, async (t) => {
  const lines = await hazardLines(`
    const context = require('node:vm').createContext()
    const { severity, detail } = told('doubled-random')
    say(severity, detail.startsWith('1 context '), answer())`)
  t.same(lines, [['notice', true, 'forks']])
})

t.test('it refuses unless it is accepted', { skip }, async (t) => {
  const lines = await hazardLines(`Object.freeze(Math); answers('doubled-random').then((all) => say(...all))`)
  t.same(lines, [answersFor('doubled-random', 'unsafe')])
})
