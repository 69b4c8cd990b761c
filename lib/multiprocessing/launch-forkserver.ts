// The start method 'forkserver': a clean Node, started with the first such Process, forks all of them.
import { join } from 'node:path'
import { kill } from '../signals'
import { endDaemons } from './children'
import { ServerLink } from './fork-server-link'
import { toOrder, toServerOptions, toStrings } from './fork-server-options'
import type { Order } from './fork-server-protocol'
import { waitForKept } from './kept-child'
import type { Job, Launcher } from './launcher'
import { ServedChild } from './served-child'
import { packJob } from './spawn-job'

let preload: readonly string[] = []
let link: ServerLink | undefined

/**
 * Names the modules that the server of the start method 'forkserver' imports, once, before it forks: children find them
 * loaded. Counts for a server that is started after it, which the first such Process does.
 *
 * @param modules URLs, paths, names of packages
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE: no list of such
 * A module that can't be imported is told by the Process' start(): ForkServerError ERR_FORK_SERVER_PRELOAD.
 */
export function setForkserverPreload(modules: readonly string[]): void {
  preload = toStrings(modules, 'modules')
}

export const forkserverLauncher: Launcher = {
  method: 'forkserver',
  start(job: Job) {
    const { bytes, fds } = packJob(job, 'forkserver')
    const order = toOrder({
      module: join(__dirname, 'forkserver-job.js'),
      export: 'runServedJob',
      args: [bytes],
      fds,
      stdio: ['ignore'], // as Python has it
      daemon: job.daemon,
    })
    const life = serve(order)
    return { pid: life.pid, life }
  },
}

/** A server may be dying without being seen to: if nothing can have come of the request, another one is asked. */
function serve(order: Order): ServedChild {
  const server = runningServer()
  try {
    return new ServedChild(server, order)
  } catch (error) {
    if (!server.isUnheard) throw error
    return new ServedChild(runningServer(), order)
  }
}

/** A server that has died is started anew, and so is that of a process which has forked us. */
function runningServer(): ServerLink {
  if (link?.isAlive()) return link
  link = startServer()
  return link
}

function startServer(): ServerLink {
  const { preload: modules, ...node } = toServerOptions({ preload })
  const server = new ServerLink(modules, node)
  server.unref()
  process.once('exit', () => {
    endDaemons() // while there is somebody to tell of their end
    endServer(server)
  })
  return server
}

function endServer(server: ServerLink): void {
  if (server.isOver) return
  try {
    kill(server.pid, 'SIGKILL')
    waitForKept(server.pid)
  } catch {} // it has ended meanwhile
}
