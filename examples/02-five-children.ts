// Five children of one parent. Each must end inside the loop: a child that went on would run the rest of the loop
// too and have children of its own, 31 in all. _exit ends it at once, whatever its parent had still to do.
import { _exit, fork, waitpid } from 'truefork'
import { say } from './support/say'

const children: number[] = []
for (let number = 1; number <= 5; number++) {
  const pid = fork()
  if (pid === 0) {
    say(`child ${number}: I am ${process.pid}, my parent is ${process.ppid}`)
    _exit(0)
  }
  children.push(pid)
}

for (const pid of children) waitpid(pid)
say(`parent: I am ${process.pid}, my children were ${children.join(' ')}`)
