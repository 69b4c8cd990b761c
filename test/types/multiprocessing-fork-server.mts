// Compiled as an ES module, never run: what must compile does, and what must not is marked so.
import {
  type ForkedWorker,
  type ForkedWorkerOptions,
  ForkServer,
  ForkServerError,
  type ForkServerErrorCode,
  type ForkServerOptions,
  setForkserverPreload,
  type WorkerExit,
  type WorkerStdio,
} from 'truefork/multiprocessing'

const options: ForkServerOptions = { preload: ['typescript'], execArgv: [], env: { A: '1' } }
const server: ForkServer = await ForkServer.start(options)
const stdio: readonly WorkerStdio[] = ['ignore', 'inherit', 2]
const request: ForkedWorkerOptions = { module: new URL('file:///x.js'), args: [1n], fds: [3], stdio, daemon: false }
const worker: ForkedWorker = await server.fork(request)
const { code, signal }: WorkerExit = await worker.exited
const sent: boolean = worker.kill('SIGTERM') && worker.kill(9) && worker.isAlive()
const pids: number[] = [worker.pid, server.pid]
await server.close({ graceMs: 10 })
setForkserverPreload(['node:fs'])
const failure: ForkServerErrorCode = new ForkServerError('ERR_FORK_SERVER_DIED', 'it died').code
console.log(code === 0, signal === 'SIGKILL', sent, pids, failure)

// @ts-expect-error a server is started
new ForkServer()
// @ts-expect-error a worker has a module
await server.fork({})
// @ts-expect-error pipes are made by the caller
await server.fork({ module: 'x', stdio: ['pipe'] })
// @ts-expect-error the pid is the worker's for ever
worker.pid = 1
