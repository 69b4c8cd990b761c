// A child goes on in the thread that forked, and a Node whose only living thread is a Worker's is none: its main thread,
// which handles signals, and the end, is that thread's business. So fork is refused in a Worker, whatever is accepted.
// The remedy is a message: the main thread forks on behalf of the Worker.
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { _exit, ForkHazardError, fork, WEXITSTATUS, waitpid } from 'truefork'
import { say } from '../support/say'

function inWorker(): void {
  try {
    fork({ hazards: 'ignore' })
  } catch (error) {
    if (!(error instanceof ForkHazardError)) throw error
    for (const { id, severity, remedy } of error.hazards) say(`Worker: ${id} (${severity}). ${remedy}`)
  }
  parentPort?.once('message', (status: number) => say(`Worker: my child ended with ${status}`))
  parentPort?.postMessage('fork for me')
}

function inMainThread(): void {
  const worker = new Worker(__filename)
  worker.on('message', () => {
    const pid = fork()
    if (pid === 0) _exit(7)
    worker.postMessage(WEXITSTATUS(waitpid(pid).status))
  })
}

if (isMainThread) inMainThread()
else inWorker()
