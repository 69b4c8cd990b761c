import t from 'tap'
import { answersFor, hazardLines } from '../support/hazards'

const onMac = process.platform === 'darwin' ? false : 'only macOS has Objective-C in every process'
const elsewhere = process.platform === 'darwin' && 'macOS has Objective-C in every process'
const alone = `const alone = { threads: 'caller' };`

t.test('the Objective-C runtime may end a child', { skip: onMac }, async (t) => {
  t.same(await hazardLines(`${alone} say(told('objc-initialize', alone).severity)`), [['notice']])
})

t.test('where it has been told not to it is none', { skip: onMac }, async (t) => {
  const env = { OBJC_DISABLE_INITIALIZE_FORK_SAFETY: 'YES' }
  t.same(await hazardLines(`${alone} say(told('objc-initialize', alone).severity)`, { env }), [['none']])
})

t.test('nor elsewhere', { skip: elsewhere }, async (t) => {
  t.same(await hazardLines(`${alone} say(told('objc-initialize').severity, told('objc-initialize', alone).severity)`), [
    ['none', 'none'],
  ])
})

t.test('it never refuses', { skip: onMac }, async (t) => {
  const nodeOptions = ['--single-threaded', '--v8-pool-size=0']
  const source = `${alone} answers('objc-initialize', alone).then((all) => say(...all))`
  t.same(await hazardLines(source, { nodeOptions }), [answersFor('objc-initialize', 'notice')])
})
