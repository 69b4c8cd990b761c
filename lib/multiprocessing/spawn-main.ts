// The program of a child that was spawned: reads its job from descriptor 3, and does it.
import { closeSync, fstatSync, readSync } from 'node:fs'
import { binding } from '../binding'
import { runTarget } from './child-main'
import { emptyStdin } from './empty-stdin'
import { runJob } from './run-job'

const jobFd = 3

function readJob(): Buffer {
  // The position is the parent's, behind the end.
  const bytes = Buffer.alloc(fstatSync(jobFd).size)
  for (let filled = 0; filled < bytes.length; ) filled += readSync(jobFd, bytes, filled, bytes.length - filled, filled)
  closeSync(jobFd)
  return bytes
}

/** A child of this process is to share it, too: nothing here tells that both ends of a pipe are another's as well. */
function arrived(fd: number): number {
  binding.sharePipe(fd)
  return fd
}

if (require.main === module) {
  emptyStdin()
  const job = readJob()
  // How many there are the job knows.
  const fds = new Proxy([] as number[], { get: (_, index) => arrived(jobFd + 1 + Number(index)) })
  void runTarget(() => runJob(job, fds))
}
