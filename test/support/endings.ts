// Every way in which a program may end.

/** What each does in a Node of its own is what it must do in a child: the same code, the same output, the same handlers. */
export const waysToEnd: Record<string, string> = {
  'process.exit with a code': 'process.exit(3)',
  'process.exit with no code': 'process.exitCode = 6; process.exit()',
  'process.exit in an exit handler': `process.on('exit', () => process.exit(6)); process.exit(4)`,
  'process.reallyExit': 'process.reallyExit(5)',
  'an exit code and an empty loop': 'process.exitCode = 4',
  'an exit code as text': `process.exitCode = '4'`,
  'an exit code set by an exit handler': `process.on('exit', () => { process.exitCode = 9 })`,
  'an empty loop': '',
  'the last timer': `setTimeout(() => console.log('timer'), 5)`,
  'an unreferenced timer': 'setTimeout(() => process.exit(9), 60_000).unref()',
  'beforeExit with more to do': `process.once('beforeExit', () => setImmediate(() => console.log('more')))`,
  'beforeExit with promises': `process.on('beforeExit', () => Promise.resolve().then(() => console.log('then')))`,
  'beforeExit that exits': `process.once('beforeExit', () => process.exit(4))`,
  'beforeExit that throws': `process.on('beforeExit', () => { throw new Error('no') })`,
  'an error at top level': `throw new Error('boom')`,
  'an error in a timer': `setTimeout(() => { throw new Error('boom') }, 1)`,
  'an error in a microtask': `queueMicrotask(() => { throw new Error('boom') })`,
  'a thrown value that is no error': `throw null`,
  'an error and an exit code': `process.exitCode = 5; throw new Error('boom')`,
  'an error, and an exit handler that sets the code': `process.on('exit', () => { process.exitCode = 8 }); throw new Error('boom')`,
  'an error that is handled': `process.on('uncaughtException', ({ message }) => console.log(message)); throw new Error('boom')`,
  'an error that is watched': `process.on('uncaughtExceptionMonitor', ({ message }) => console.log(message)); throw new Error('boom')`,
  'an error that a callback captures': `process.setUncaughtExceptionCaptureCallback(({ message }) => console.log(message)); throw new Error('boom')`,
  'an error in the handler of errors': `process.on('uncaughtException', () => { throw new Error('again') }); throw new Error('boom')`,
  'an error in an exit handler': `process.on('exit', () => { throw new Error('late') })`,
  'a rejection': `Promise.reject(new Error('boom'))`,
  'a rejection with no error': `Promise.reject(7)`,
  'a rejection that is handled': `process.on('unhandledRejection', ({ message }) => console.log(message)); Promise.reject(new Error('boom'))`,
  'a failed assertion': `require('node:assert').ok(false)`,
  'a signal': `process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 10_000)`,
  'a signal that is handled': `process.on('SIGTERM', () => process.exit(3)); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 10_000)`,
  'process.abort': 'process.abort()',
}

/** Goes before each of them. */
export const marks = `process.on('exit', (code) => console.log('exit', code)); console.log('begin');`

/**
 * Each way out twenty times, by next(): forks by `options`, and prints how often a child ended as it must. Under way in
 * the parent are the timers `loads`.
 */
export const allWaysOut = `
  const ways = [
    [3, () => process.exit(3)],
    [4, () => { process.exitCode = 4 }],
    [1, () => { throw new Error('boom') }],
    [1, () => Promise.reject(new Error('boom'))],
    [5, () => _exit(5)],
    ['SIGTERM', () => { process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 10_000) }],
    [6, () => process.once('beforeExit', () => setTimeout(() => { process.exitCode = 6 }, 1))],
  ]
  const tally = {}
  let left = 20 * ways.length
  function next() {
    const [expected, way] = ways[left % ways.length]
    const pid = fork(options)
    if (pid === 0) {
      loads.forEach(clearInterval)
      return way()
    }
    const end = ending(pid)
    const key = end === expected ? 'as expected' : expected + ' became ' + end
    tally[key] = (tally[key] ?? 0) + 1
    if (--left === 0) { console.log(JSON.stringify(tally)); process.exit(0) }
    setTimeout(next, left % 3)
  }
`
