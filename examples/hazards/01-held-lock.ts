// The first lesson of every course on fork: a lock that somebody holds at the fork is held in the child, too, and nobody
// there gives it back. Here the parent holds a lock that it has made of Atomics; the child has a copy of it, waits, and
// would wait for ever. A watchdog in the parent sees that and says why.
import { readFileSync } from 'node:fs'
import { _exit, describeStatus, fork, kill, waitpid } from 'truefork'
import { say } from '../support/say'

/** A mutex as one makes it for Workers. Its memory is the process's own: a fork makes two locks of it. */
class AtomicsLock {
  readonly #word = new Int32Array(new SharedArrayBuffer(4))

  acquire(): void {
    while (Atomics.compareExchange(this.#word, 0, 0, 1) !== 0) Atomics.wait(this.#word, 0, 1)
  }

  release(): void {
    Atomics.store(this.#word, 0, 0)
    Atomics.notify(this.#word, 0)
  }
}

/** Waits until the process stands still, and says where. */
function explain(pid: number): string {
  for (;;) {
    const [call] = readFileSync(`/proc/${pid}/syscall`, 'utf8').split(' ')
    if (call === '202') return 'it sits in futex(2)'
  }
}

function withLessonsLock(): void {
  const lock = new AtomicsLock()
  lock.acquire()
  const pid = fork()
  if (pid === 0) {
    lock.acquire()
    say('never said')
    _exit(0)
  }
  lock.release() // the parent's. The child doesn't notice
  say(`the child doesn't end: ${explain(pid)}`)
  kill(pid, 'SIGKILL')
  say(`the watchdog ended it: ${JSON.stringify(describeStatus(waitpid(pid).status))}`)
}

withLessonsLock()
