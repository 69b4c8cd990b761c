// fork, then exec: how every Unix shell starts a program. exec makes no process. It replaces the program of the one
// that calls it, and the pid stays: what fork returned to the parent is the pid that the new program finds.
//
// A child that soon runs another program needs none of Node's helper threads. It can be forked as POSIX has it, with
// the calling thread alone, by accepting that these helpers are missing.
import { execlp, fork, waitpid, waitstatusToExitcode } from 'truefork'
import { say } from './support/say'

for (const word of ['one', 'two', 'three']) {
  const pid = fork({ threads: 'caller', accept: ['dead-v8-workers'] })
  if (pid === 0) {
    // Never returns. If it throws, nobody catches it here and the child ends with 1.
    execlp('sh', 'sh', '-c', 'echo "program $1: I am $$, my parent is $PPID"', 'sh', word)
  }
  const code = waitstatusToExitcode(waitpid(pid).status)
  say(`parent ${process.pid}: fork returned ${pid}, and ${pid} ended with ${code}`)
}
