import { constants } from 'node:os'
import t from 'tap'
import {
  CLD_CONTINUED,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  kill,
  P_ALL,
  P_PGID,
  P_PID,
  posix_spawnp,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  waitid,
} from 'truefork'
import { exiting, sleeping } from './support/child'
import { isChildless } from './support/process-state'

const { SIGCHLD, SIGCONT, SIGFPE, SIGKILL, SIGSTOP } = constants.signals
const uid = process.getuid?.()
const noChild = { name: 'PosixError', code: 'ECHILD', errno: -10, syscall: 'waitid' }
const refused = { name: 'PosixError', code: 'EINVAL', errno: -22, syscall: 'waitid' }

t.test('an exit is told with pid, user and code', async (t) => {
  const pid = exiting(123)
  t.same(waitid(P_ALL, 0, WEXITED), { pid, uid, signo: SIGCHLD, status: 123, code: CLD_EXITED })
  t.ok(isChildless())
}) // waitid-01

t.test('no options, no kind of end or unknown options are EINVAL', async (t) => {
  for (const options of [0, WNOHANG, 0x10000]) {
    t.throws(() => waitid(P_ALL, 0, options), refused)
    t.throws(() => waitid(P_PID, process.pid, options), refused)
  }
  const pid = exiting(0)
  t.throws(() => waitid(P_PID, pid, 0), refused)
  t.throws(() => waitid(P_ALL, 0, 0), refused)
  t.throws(() => waitid(99, 0, WEXITED), refused)
  t.throws(() => waitid(P_PID, 0, WEXITED), refused)
  t.throws(() => waitid(P_PID, -1, WEXITED), refused)
  t.throws(() => waitid(P_PGID, -1, WEXITED), refused)
  t.equal(waitid(P_PID, pid, WEXITED)?.pid, pid)
}) // waitid-02

t.test('without children waitid fails with ECHILD', async (t) => {
  t.throws(() => waitid(P_ALL, 0, WEXITED), noChild)
  t.throws(() => waitid(P_PGID, 0, WEXITED), noChild)
}) // waitid-03

t.test('under WNOHANG nothing to tell is null', async (t) => {
  const pid = sleeping(t)
  t.equal(waitid(P_ALL, 0, WEXITED | WNOHANG), null)
  t.equal(waitid(P_PID, pid, WEXITED | WNOHANG), null)
}) // waitid-04

t.test('a group is told by its number, and the own one by 0', async (t) => {
  const own = exiting(1)
  const leader = exiting(2, { setpgroup: 0 })
  t.throws(() => waitid(P_PGID, leader + 1, WEXITED), noChild)
  t.equal(waitid(P_PGID, leader, WEXITED)?.pid, leader)
  t.throws(() => waitid(P_PGID, leader, WEXITED), noChild)
  t.equal(waitid(P_PGID, 0, WEXITED)?.pid, own)
}) // waitid-05

t.test('a pid is that child, and no other process', async (t) => {
  const pid = exiting(4)
  for (const other of [pid + 1, 1, process.pid]) t.throws(() => waitid(P_PID, other, WEXITED), noChild)
  t.equal(waitid(P_PID, pid, WEXITED)?.status, 4)
  t.throws(() => waitid(P_PID, pid, WEXITED), noChild)
}) // waitid-06, waitid-09

t.test('stopping, going on and being killed are told apart', async (t) => {
  const pid = sleeping(t)
  kill(pid, 'SIGSTOP')
  t.same(waitid(P_PID, pid, WSTOPPED), { pid, uid, signo: SIGCHLD, status: SIGSTOP, code: CLD_STOPPED })
  kill(pid, 'SIGCONT')
  t.same(waitid(P_PID, pid, WCONTINUED), { pid, uid, signo: SIGCHLD, status: SIGCONT, code: CLD_CONTINUED })
  kill(pid, 'SIGKILL')
  t.same(waitid(P_PID, pid, WEXITED), { pid, uid, signo: SIGCHLD, status: SIGKILL, code: CLD_KILLED })
}) // waitid-07, waitid-08, waitid-11, waitid-13

t.test('an arithmetic error is told as SIGFPE', async (t) => {
  const pid = posix_spawnp('sh', ['sh', '-c', 'kill -FPE $$'])
  const { code, ...rest } = waitid(P_PID, pid, WEXITED) ?? { code: 0 }
  t.same(rest, { pid, uid, signo: SIGCHLD, status: SIGFPE })
  t.ok(code === CLD_KILLED || code === CLD_DUMPED)
}) // waitid-10

t.test('WNOWAIT leaves the child to be waited for again', async (t) => {
  const pid = exiting(6)
  const told = waitid(P_PID, pid, WEXITED | WNOWAIT)
  t.same(waitid(P_ALL, 0, WEXITED | WNOWAIT), told)
  t.same(waitid(P_PID, pid, WEXITED), told)
  t.ok(isChildless())
}) // waitid-01

t.test('waitid refuses what is no int32', async (t) => {
  const call = waitid as (...words: unknown[]) => unknown
  for (const value of ['1', null, undefined, {}, 1n]) {
    t.throws(() => call(value, 0, WEXITED), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    t.throws(() => call(P_ALL, value, WEXITED), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    t.throws(() => call(P_ALL, 0, value), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const value of [0.5, Number.NaN, 2 ** 31]) {
    t.throws(() => call(value, 0, WEXITED), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => call(P_ALL, value, WEXITED), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => call(P_ALL, 0, value), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
  }
}) // waitid-02
