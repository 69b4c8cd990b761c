import { constants } from 'node:os'
import t from 'tap'
import {
  describeStatus,
  posix_spawnp,
  WCOREDUMP,
  WEXITSTATUS,
  WIFCONTINUED,
  WIFEXITED,
  WIFSIGNALED,
  WIFSTOPPED,
  WSTOPSIG,
  WTERMSIG,
  WUNTRACED,
  waitpid,
  waitstatusToExitcode,
} from 'truefork'
import { exited, exiting, sleeping } from './support/child'

const { SIGKILL, SIGQUIT, SIGSTOP } = constants.signals

t.test('an exit code comes through in its low 8 bits', async (t) => {
  for (const code of [0, 1, 42, 255]) {
    const { status } = waitpid(exiting(code))
    t.equal(WIFEXITED(status), true)
    t.equal(WIFSIGNALED(status), false)
    t.equal(WIFSTOPPED(status), false)
    t.equal(WIFCONTINUED(status), false)
    t.equal(WEXITSTATUS(status), code)
    t.same(describeStatus(status), exited(code))
    t.equal(waitstatusToExitcode(status), code)
  }
}) // spawn-38, exit-01

t.test('the signal that ended a child is told by name', async (t) => {
  const { status } = waitpid(posix_spawnp('sh', ['sh', '-c', 'kill -KILL $$']))
  t.equal(WIFEXITED(status), false)
  t.equal(WIFSIGNALED(status), true)
  t.equal(WTERMSIG(status), SIGKILL)
  t.equal(WCOREDUMP(status), false)
  t.same(describeStatus(status), { kind: 'signaled', signal: 'SIGKILL', core: false })
  t.equal(waitstatusToExitcode(status), -SIGKILL)
}) // wait-16

t.test('a child that may not dump core dies of SIGQUIT without one', async (t) => {
  const { status } = waitpid(posix_spawnp('sh', ['sh', '-c', 'ulimit -c 0; kill -QUIT $$']))
  t.same(describeStatus(status), { kind: 'signaled', signal: 'SIGQUIT', core: false })
  t.equal(WTERMSIG(status), SIGQUIT)
}) // wait-04

t.test(
  'a signal without a name is a number',
  { skip: process.platform !== 'linux' && 'no real-time signals' },
  async (t) => {
    const { status } = waitpid(posix_spawnp('sh', ['sh', '-c', 'kill -40 $$']))
    t.same(describeStatus(status), { kind: 'signaled', signal: 40, core: false })
    t.equal(waitstatusToExitcode(status), -40)
  },
)

t.test('the first name of a number counts', async (t) => {
  const { status } = waitpid(posix_spawnp('sh', ['sh', '-c', 'ulimit -c 0; kill -ABRT $$']))
  t.match(describeStatus(status), { kind: 'signaled', signal: 'SIGABRT' })
}) // exit-04

t.test('a stopped child has no exit code', async (t) => {
  const pid = sleeping(t)
  process.kill(pid, 'SIGSTOP')
  const { status } = waitpid(pid, WUNTRACED)
  t.equal(WIFSTOPPED(status), true)
  t.equal(WIFEXITED(status), false)
  t.equal(WIFSIGNALED(status), false)
  t.equal(WSTOPSIG(status), SIGSTOP)
  t.same(describeStatus(status), { kind: 'stopped', signal: 'SIGSTOP' })
  t.throws(() => waitstatusToExitcode(status), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
}) // wait-16

t.test('every function of a status refuses what is no int32', async (t) => {
  const functions = [
    WIFEXITED,
    WEXITSTATUS,
    WIFSIGNALED,
    WTERMSIG,
    WCOREDUMP,
    WIFSTOPPED,
    WSTOPSIG,
    WIFCONTINUED,
    describeStatus,
    waitstatusToExitcode,
  ] as ((status: unknown) => unknown)[]
  for (const call of functions) {
    for (const value of ['0', null, undefined, {}, 0n, true]) {
      t.throws(() => call(value), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    }
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -(2 ** 31) - 1]) {
      t.throws(() => call(value), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    }
  }
}) // wait-16
