// A child that has ended stays in the kernel's table until its parent asks how: a zombie. It has no memory and no
// descriptors, but it holds its pid, and a server that never asks runs out of pids. SIGCHLD tells that it is time
// to ask. Signals of several children merge into one, so each time all that have ended are asked for.
import { _exit, fork, kill, P_PID, WEXITED, WNOHANG, WNOWAIT, waitid, waitpid } from 'truefork'
import { say } from './support/say'

function existence(pid: number): string {
  try {
    kill(pid, 0) // sends nothing, and asks only whether it could
    return 'there'
  } catch (error) {
    return `gone (${(error as NodeJS.ErrnoException).code})`
  }
}

function forkOne(): number {
  const pid = fork()
  if (pid === 0) _exit(0)
  return pid
}

const zombie = forkOne()
waitid(P_PID, zombie, WEXITED | WNOWAIT) // waits for its end and leaves it a zombie
say(`child ${zombie} has ended and is still ${existence(zombie)}`)
waitpid(zombie)
say(`child ${zombie} is reaped and ${existence(zombie)}`)

// The server's way: it goes on with its work, and blocks for nobody.
const alive = new Set<number>()
process.on('SIGCHLD', reapAll)
for (let i = 0; i < 5; i++) alive.add(forkOne())
const work = setInterval(() => {}, 1000)

function reapAll(): void {
  while (alive.size > 0) {
    const { pid } = waitpid(-1, WNOHANG)
    if (pid === 0) return // the others run
    alive.delete(pid)
    say(`reaped ${pid}, which is ${existence(pid)}`)
  }
  clearInterval(work)
  process.off('SIGCHLD', reapAll)
}
