import t from 'tap'
import { withoutAllThreads } from '../support/fork'
import { runProgram } from '../support/program'

const skip = withoutAllThreads
// A watch that was set before truefork was there: where it leads nobody knows any more.
const watching = (order: string) => `
  const fs = require('node:fs')
  const watch = () => fs.watch(require('node:os').tmpdir()).unref()
  ${order}
  const { _exit, fork, forkHazards, waitpid } = require('truefork')
`
const early = watching('watch()')
const late = `${watching('')}; watch()`

const tell = `
  const found = (options) => forkHazards(options).hazards.find(({ id }) => id === 'unrebuilt-descriptor')
  const report = found()
  console.log(JSON.stringify([report?.severity ?? 'none', report?.detail ?? '', found({ threads: 'caller' })?.severity ?? 'none']))
`

t.test('a file watcher from before truefork was loaded is one for both', { skip }, async (t) => {
  const { stdout } = await runProgram(early + tell)
  t.match(stdout, /^\["notice","parent and child take events from each other by: \d+ \(inotify\)","none"\]\n$/)
})

t.test('one from after that the child gets anew', { skip }, async (t) => {
  t.equal((await runProgram(late + tell)).stdout, '["none","","none"]\n')
})

t.test('it never refuses', { skip }, async (t) => {
  const { stdout, stderr } = await runProgram(`${early}
    for (const options of [{}, { accept: ['unrebuilt-descriptor'] }, { hazards: 'ignore' }, { hazards: 'warn' }]) {
      const pid = fork(options)
      if (pid === 0) _exit(0)
      console.log(waitpid(pid).status)
    }`)
  t.equal(stdout, '0\n0\n0\n0\n')
  t.equal(stderr, '')
})
