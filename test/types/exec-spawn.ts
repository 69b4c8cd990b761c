// Compiled, never run: what must compile does, and what must not is marked so.
import {
  execl,
  execle,
  execve,
  execvp,
  type FileAction,
  fexecve,
  P_WAIT,
  type PosixSpawnOptions,
  posix_spawn,
  posix_spawnp,
  spawnlp,
  spawnv,
} from 'truefork'

export const becomeLs: () => never = () => execvp('ls', ['ls', '-l'])

execve(Buffer.from('/bin/ls'), ['ls', Buffer.from('x')], { PATH: '/bin', HOME: undefined })
execve('/bin/ls', ['ls'], ['PATH=/bin'])
execl('/bin/ls', 'ls', '-l')
execle('/bin/ls', 'ls', '-l', { PATH: '/bin' })
fexecve(3, ['x'], process.env)

const actions: readonly FileAction[] = [
  { action: 'open', fd: 0, path: '/dev/null', flags: 0 },
  { action: 'open', fd: 1, path: Buffer.from('/tmp/x'), flags: 1, mode: 0o600 },
  { action: 'dup2', fd: 1, newFd: 2 },
  { action: 'chdir', path: '/' },
  { action: 'closefrom', fd: 3 },
]
const options: PosixSpawnOptions = {
  fileActions: actions,
  setsigmask: new Set(['SIGINT', 15] as const),
  setsigdef: ['SIGPIPE'],
  scheduler: { priority: 1 },
}
posix_spawn('/bin/ls', ['ls'], options) satisfies number
posix_spawnp('ls', ['ls'], { env: process.env })
spawnv(P_WAIT, '/bin/true', ['true']) satisfies number
spawnlp(P_WAIT, 'true', 'true')

// @ts-expect-error argv is a list
execvp('ls', 'ls')
// @ts-expect-error execve takes an environment
execve('/bin/ls', ['ls'])
// @ts-expect-error no numbers in argv
posix_spawn('/bin/ls', ['ls', 1])
// @ts-expect-error no such action
posix_spawn('/bin/ls', ['ls'], { fileActions: [{ action: 'fly', fd: 1 }] })
// @ts-expect-error dup2 needs newFd
posix_spawn('/bin/ls', ['ls'], { fileActions: [{ action: 'dup2', fd: 1 }] })
// @ts-expect-error no such signal
posix_spawn('/bin/ls', ['ls'], { setsigmask: ['SIGNOTHING'] })
// @ts-expect-error no such option
posix_spawn('/bin/ls', ['ls'], { cwd: '/' })
// @ts-expect-error a scheduler needs a priority
posix_spawn('/bin/ls', ['ls'], { scheduler: { policy: 1 } })
// @ts-expect-error a descriptor, not a path
fexecve('/bin/ls', ['ls'], {})
