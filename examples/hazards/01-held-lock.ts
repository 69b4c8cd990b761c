// The first lesson of every course on fork: a lock that somebody holds at the fork is held in the child, too, and nobody
// there gives it back. Here the parent holds a lock that it has made of Atomics; the child has a copy of it, waits, and
// would wait for ever. A watchdog in the parent notices, and diagnose says why. Then the same with a lock that lies in
// memory of both and knows who holds it: the child is told what POSIX would let it wait for without end.
import { _exit, describeStatus, diagnose, fork, kill, waitpid } from 'truefork'
import { Lock } from 'truefork/multiprocessing'
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

/** Waits until the main thread of a process stands still at a lock, and says what is known of it. */
function explainStandstill(pid: number): string {
  for (;;) {
    const { threads, summary } = diagnose(pid)
    const [main] = threads
    if (main?.state === 'S' && main.lock?.kind === 'atomics') return summary
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
  say(`the child doesn't end: ${explainStandstill(pid)}`)
  kill(pid, 'SIGKILL')
  say(`the watchdog ended it: ${JSON.stringify(describeStatus(waitpid(pid).status))}`)
}

function withLockOfProcesses(): void {
  const lock = new Lock()
  lock.acquireSync()
  const pid = fork()
  if (pid === 0) {
    try {
      lock.acquireSync()
    } catch (error) {
      say(`with a lock of processes: ${error}`)
    }
    _exit(0)
  }
  waitpid(pid) // with the lock in its hands: so the child would wait for its parent, and the parent for its child
  lock.release()
}

withLessonsLock()
withLockOfProcesses()
