import { readlinkSync } from 'node:fs'
import t from 'tap'
import { getpid, getppid, gettid } from 'truefork'
import { capture } from './support/child'
import { runProgram } from './support/program'

t.test('the ids are those that Node and the kernel tell', async (t) => {
  t.equal(getpid(), process.pid)
  t.equal(getppid(), process.ppid)
  t.equal(capture(['sh', '-c', 'echo $PPID']).stdout, `${getpid()}\n`)
})

t.test(
  'a thread has its own id, the main one that of the process',
  { skip: process.platform !== 'linux' && 'tids are unlike pids there' },
  async (t) => {
    t.equal(gettid(), getpid())
    t.equal(readlinkSync('/proc/thread-self'), `${getpid()}/task/${gettid()}`)
    const worker = `
    const { getpid, gettid } = require('truefork')
    const link = require('node:fs').readlinkSync('/proc/thread-self')
    const { parentPort } = require('node:worker_threads')
    parentPort.postMessage([getpid() === process.pid, gettid() !== getpid(), link === getpid() + '/task/' + gettid()])`
    const { stdout } = await runProgram(`
    const { Worker } = require('node:worker_threads')
    new Worker(${JSON.stringify(worker)}, { eval: true }).on('message', (told) => console.log(told.join(' ')))`)
    t.equal(stdout, 'true true true\n')
  },
)

t.test('getppid is another process once the parent has ended', async (t) => {
  const orphan = `
    const { getppid } = require('truefork')
    const parent = Number(process.argv[1])
    const look = setInterval(() => {
      if (getppid() === parent) return
      console.log('adopted', process.ppid === getppid())
      clearInterval(look)
    }, 5)`
  const { stdout, stderr } = await runProgram(`
    const { posix_spawn } = require('truefork')
    posix_spawn(process.execPath, ['node', '-e', ${JSON.stringify(orphan)}, '--', String(process.pid)])`)
  t.equal(stderr, '')
  t.equal(stdout, 'adopted true\n')
})
