import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = process.platform !== 'linux' ? 'only Linux has control groups' : withoutAllThreads
const megabytes = 2 ** 20

/** JavaScript by which a program enters a control group that may have so much memory; or why there can't be one. */
function limitedTo(t: Test, limit: number): { enter?: string; reason?: string } {
  const lines = readFileSync('/proc/self/cgroup', 'latin1').split('\n')
  const own = lines.map((line) => line.split(':')).find(([, names]) => names === 'memory')
  const parent = own
    ? join('/sys/fs/cgroup/memory', own[2] as string)
    : join('/sys/fs/cgroup', lines[0]?.split(':')[2] ?? '')
  const folder = join(parent, `truefork-${process.pid}-${limit}`)
  try {
    mkdirSync(folder)
    t.teardown(() => rmdirSync(folder))
    const file = ['memory.limit_in_bytes', 'memory.max'].map((name) => join(folder, name)).find(existsSync)
    if (file === undefined) return { reason: 'the memory controller isn’t delegated to this control group' }
    writeFileSync(file, `${limit}`)
  } catch {
    return { reason: 'only root can make a control group here' }
  }
  return { enter: `fs.writeFileSync(${JSON.stringify(join(folder, 'cgroup.procs'))}, '0');` }
}

const fill = (size: number) => `const kept = Buffer.alloc(${size} * 2 ** 20, 1);`

t.test('a process that takes up most of its control group has no room for a copy', { skip }, async (t) => {
  const { enter, reason } = limitedTo(t, 200 * megabytes)
  if (enter === undefined) {
    t.pass('not tried', { skip: reason as string })
    return
  }
  const lines = await hazardLines(`${enter} ${fill(120)}
    const { severity, detail } = told('low-memory')
    say(severity, detail.includes('the control group /'))
    answers('low-memory').then((all) => say(...all))`)
  t.same(lines, [['notice', true], answersFor('low-memory', 'notice')])
})

t.test('one that has room is told nothing', { skip }, async (t) => {
  const { enter, reason } = limitedTo(t, 1000 * megabytes)
  if (enter === undefined) t.comment(`without a control group: ${reason}`)
  t.same(await hazardLines(`${enter ?? ''} ${fill(20)} say(told('low-memory').severity)`), [['none']])
})
