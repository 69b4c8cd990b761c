// One system call, execve, in eight flavours. v: the arguments are an array; l: they are listed one by one. e: the
// program gets an environment of its own. p: the file is searched for by PATH. The ninth, fexecve, runs a file that
// is open already. In all of them the first argument is the program's own name, by custom.
import { closeSync, openSync } from 'node:fs'
import { execl, execle, execlp, execlpe, execv, execve, execvp, execvpe, fexecve, fork, waitpid } from 'truefork'
import { say } from './support/say'

const script = 'echo "$0 ran process $$ with $ENVIRONMENT"'
const own = { ENVIRONMENT: 'an environment of its own' }
process.env['ENVIRONMENT'] = "its parent's environment"

const flavours: Record<string, () => never> = {
  execv: () => execv('/bin/sh', ['sh', '-c', script, 'execv']),
  execve: () => execve('/bin/sh', ['sh', '-c', script, 'execve'], own),
  execvp: () => execvp('sh', ['sh', '-c', script, 'execvp']),
  execvpe: () => execvpe('sh', ['sh', '-c', script, 'execvpe'], own),
  execl: () => execl('/bin/sh', 'sh', '-c', script, 'execl'),
  execle: () => execle('/bin/sh', 'sh', '-c', script, 'execle', own),
  execlp: () => execlp('sh', 'sh', '-c', script, 'execlp'),
  execlpe: () => execlpe('sh', 'sh', '-c', script, 'execlpe', own),
}

function runInChild(exec: () => never): void {
  const pid = fork()
  if (pid === 0) exec()
  waitpid(pid)
}

for (const exec of Object.values(flavours)) runInChild(exec)

const shell = openSync('/bin/sh', 'r')
runInChild(() => {
  try {
    return fexecve(shell, ['sh', '-c', script, 'fexecve'], own)
  } catch (error) {
    say(String(error)) // ENOSYS on macOS
    process.exit(1)
  }
})
closeSync(shell)
