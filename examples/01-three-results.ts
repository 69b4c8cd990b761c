// fork has three results. An error: there is no child, and fork throws. Or two returns from one call: 0 in the
// child, and the child's pid in the parent. Everything below is run by one process up to fork, and by two after it.
import { _exit, type ForkOptions, fork, waitpid } from 'truefork'
import { say } from './support/say'

function showResult(options: ForkOptions): void {
  let result: number
  try {
    result = fork(options)
  } catch (error) {
    // A PosixError from the kernel, such as EAGAIN, or a ForkHazardError: this package's refusal.
    const { name, code } = error as NodeJS.ErrnoException
    say(`fork threw a ${name} with the code ${code}: there is no child`)
    return
  }
  if (result === 0) {
    say(`fork returned 0: this is the child, process ${process.pid}`)
    _exit(0)
  }
  waitpid(result) // the child speaks first
  say(`fork returned ${result}: this is its parent, process ${process.pid}`)
}

// Refused: a child with its parent's calling thread alone lacks Node's helpers, and nobody has said that it can do
// without. By default it has all threads.
showResult({ threads: 'caller' })
showResult({})
