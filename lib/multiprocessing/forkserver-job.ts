// The program of a Process that a fork server has made: its job comes as an argument.
import { runTarget } from './child-main'
import { setForkServer } from './current'
import { runJob } from './run-job'

/** Does the job, and ends this process. */
export function runServedJob(bytes: Uint8Array, fds: readonly number[]): void {
  setForkServer(process.ppid)
  void runTarget(() => runJob(bytes, fds))
}
