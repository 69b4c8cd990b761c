// SIGINT, as Ctrl-C sends it, to oneself. Without a handler it ends the process during the call itself, and the
// parent learns which signal it was. With a handler the process lives, and Node runs the handler when its event
// loop comes round: never inside the call.
import { _exit, describeStatus, fork, getpid, kill, waitpid } from 'truefork'
import { say } from './support/say'

const pid = fork()
if (pid === 0) {
  say(`child ${getpid()}: sending SIGINT to myself`)
  kill(getpid(), 'SIGINT')
  say('child: never reached')
  _exit(0)
}
const ended = describeStatus(waitpid(pid).status)
say(`parent: child ${pid} was ended by ${ended.kind === 'signaled' ? ended.signal : 'nothing'}`)

// A handler in JavaScript doesn't keep a process alive: this timer does.
const lifeline = setTimeout(() => {}, 10_000)
process.once('SIGINT', (signal) => {
  say(`parent: the handler ran for ${signal}`)
  clearTimeout(lifeline)
})
kill(getpid(), 'SIGINT')
say('parent: still here after kill, and the handler has not run yet')
