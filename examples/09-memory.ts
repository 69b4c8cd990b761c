// Memory under fork and under spawn. A forked child starts with a copy of its parent's memory as it is at that
// moment; what either changes afterwards is its own. A spawned child starts from its program's first line.
import { _exit, fork, posix_spawn, waitpid } from 'truefork'
import { say } from './support/say'

let number = 777

if (process.argv[2] === 'child') {
  say(`spawned child: the number is ${number}`)
} else {
  number = 999

  const forked = fork()
  if (forked === 0) {
    say(`forked child: the number is ${number}`)
    number = 0
    _exit(0)
  }
  waitpid(forked)

  waitpid(posix_spawn(process.execPath, [process.execPath, __filename, 'child']))
  say(`parent: the number is ${number}`)
}
