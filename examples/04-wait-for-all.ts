// The parent that waits. waitpid blocks until the child has ended, tells how, and removes what is left of it. The
// children end in any order, and are waited for in the order of their birth.
import { _exit, describeStatus, fork, getpid, kill, waitpid } from 'truefork'
import { say } from './support/say'

const children: number[] = []
for (let number = 1; number <= 5; number++) {
  const pid = fork()
  if (pid === 0) {
    if (number === 5) kill(getpid(), 'SIGKILL')
    _exit(number * 10)
  }
  children.push(pid)
}

for (const pid of children) {
  const ended = describeStatus(waitpid(pid).status)
  if (ended.kind === 'exited') say(`child ${pid} exited with ${ended.code}`)
  if (ended.kind === 'signaled') say(`child ${pid} was ended by ${ended.signal}`)
}
say(`parent ${process.pid} ends last`)
