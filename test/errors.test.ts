import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import t from 'tap'
import { dup, execv, ForkHazardError, PosixError, posix_spawn, wait, waitpid } from 'truefork'

function thrownBy(call: () => unknown): PosixError {
  try {
    call()
  } catch (error) {
    return error as PosixError
  }
  throw new Error('nothing was thrown')
}

t.test('a failed call tells its code, number, name and path as the fs module does', async (t) => {
  const error = thrownBy(() => execv('/nonexistent', ['x']))
  t.ok(error instanceof PosixError)
  t.ok(error instanceof Error)
  t.equal(error.name, 'PosixError')
  t.equal(error.code, 'ENOENT')
  t.equal(error.errno, -constants.errno.ENOENT)
  t.equal(error.syscall, 'execve')
  t.equal(error.path, '/nonexistent')
  t.equal(error.message, "ENOENT: no such file or directory, execve '/nonexistent'")
  t.match(error.stack, /^PosixError: ENOENT: no such file or directory, execve '\/nonexistent'\n +at /)
})

t.test('a call without a path has none', async (t) => {
  const error = thrownBy(() => dup(-1))
  t.equal(error.message, 'EBADF: bad file descriptor, dup')
  t.notOk('path' in error)
})

t.test('numbers that Node has no name for have one here', async (t) => {
  t.notOk(getSystemErrorMap().has(-constants.errno.ECHILD))
  t.equal(thrownBy(wait).message, 'ECHILD: no child processes, wait')
  t.equal(thrownBy(() => waitpid(1)).errno, -constants.errno.ECHILD)
})

t.test('the path of a Buffer is told as text', async (t) => {
  t.equal(thrownBy(() => posix_spawn(Buffer.from('/nonexistent/é'), ['x'])).path, '/nonexistent/é')
})

t.test('any number makes an error with a message', async (t) => {
  for (const errno of Object.values(constants.errno)) {
    const error = new PosixError(-errno, 'call')
    t.equal(constants.errno[error.code as 'ENOENT'], errno)
    t.match(error.message, new RegExp(`^${error.code}: [a-z].+, call$`))
  }
  t.match(new PosixError(-4000, 'call'), { code: 'E4000', message: /^E4000: .+, call$/ })
})

t.test('a wrong argument is told with a code in the stack, as Node tells it', async (t) => {
  const error = thrownBy(() => dup('1' as never))
  t.ok(error instanceof TypeError)
  t.equal(error.name, 'TypeError')
  t.equal(error.message, `The "fd" argument must be of type number. Received type string ('1')`)
  t.match(error.stack, /^TypeError \[ERR_INVALID_ARG_TYPE\]: The "fd" argument/)
})

t.test('a refused fork lists its hazards', async (t) => {
  const hazard = { id: 'not-main-thread', severity: 'fatal', detail: 'a detail', remedy: 'a remedy' } as const
  const error = new ForkHazardError([hazard])
  t.equal(error.code, 'ERR_FORK_HAZARD')
  t.equal(error.name, 'ForkHazardError')
  t.same(error.hazards, [hazard])
  t.match(error.message, /not-main-thread \(fatal\): a detail\.\n +a remedy See docs\/hazards\.md#not-main-thread$/)
})
