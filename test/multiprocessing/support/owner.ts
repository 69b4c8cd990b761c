// Fork servers of a test's own, and what their workers say.
import { once } from 'node:events'
import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ForkServer, type ForkServerOptions } from 'truefork/multiprocessing'
import { privatePipe } from '../../support/pipes'
import { cleanEnv } from '../../support/program'

/** The module of the tests' workers. */
export const workerModule = join(__dirname, 'worker.js')

type Test = { teardown(undo: () => unknown): unknown }

/** A server that is closed when the test is over, without what the test runner wants of its children. */
export async function startServer(t: Test, options: ForkServerOptions = {}): Promise<ForkServer> {
  const server = await ForkServer.start({ preload: [workerModule], env: cleanEnv(), ...options })
  t.teardown(() => server.close({ graceMs: 0 }))
  return server
}

/** The processes that another one has made, zombies included; where there is no /proc, none. */
export function childrenOf(pid: number): string {
  return process.platform === 'linux' ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8') : ''
}

/** Whether a server has no workers, but for the one that it keeps ready, and no zombies. */
export function hasNoWorker(server: ForkServer): boolean {
  const children = childrenOf(server.pid).split(' ').filter(Boolean)
  return (
    children.length <= 1 && children.every((pid) => !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
  )
}

/** The descriptors that a server has; Linux. */
export function descriptorsOf(server: ForkServer): number[] {
  return readdirSync(`/proc/${server.pid}/fd`).map(Number)
}

/** The worker that a server keeps ready, once it has no other, and has closed what it needed to make it; Linux. */
export async function spareOf(server: ForkServer): Promise<number> {
  let children: string[] = []
  for (let last = -1; children.length !== 1 || descriptorsOf(server).length !== last; await sleep(20)) {
    last = descriptorsOf(server).length
    children = childrenOf(server.pid).split(' ').filter(Boolean)
  }
  return Number(children[0])
}

/** Of those that no wait sees, too. */
export function hasNoChild(): boolean {
  return childrenOf(process.pid) === ''
}

export interface Listener {
  /** For the worker; closed by `heard`. */
  writeEnd: number
  /** All that is written until no worker has the pipe any more. */
  heard(): Promise<string>
  /** What is written up to the end of a line. */
  line(): Promise<string>
}

/** A pipe for a worker to write to. */
export function listen(t: Test): Listener {
  const [readEnd, writeEnd] = privatePipe()
  const socket = new Socket({ fd: readEnd, readable: true, writable: false }).setEncoding('utf8')
  let text = ''
  socket.on('data', (piece: string) => {
    text += piece
  })
  let isOpen = true
  const closeOwn = (): void => {
    if (isOpen) closeSync(writeEnd)
    isOpen = false
  }
  t.teardown(() => {
    closeOwn()
    socket.destroy()
  })
  const ended = once(socket, 'close')
  return {
    writeEnd,
    async heard() {
      closeOwn()
      await ended
      return text
    },
    async line() {
      closeOwn()
      while (!text.includes('\n')) await Promise.race([once(socket, 'data'), ended])
      return text.slice(0, text.indexOf('\n'))
    },
  }
}

export interface Report {
  args: unknown[]
  pid: number
  ppid: number
  env: Record<string, string>
  argv: string[]
  loadedIn: number
  calls: number
  cwd: string
  listeners: string[]
  sockets: number
  random: [number, string]
  resources: string[]
}

/** What a worker that calls `report` says. */
export async function reportOf(
  t: Test,
  server: ForkServer,
  options: Partial<Parameters<ForkServer['fork']>[0]> = {},
): Promise<Report> {
  const { writeEnd, heard } = listen(t)
  await server.fork({ module: workerModule, export: 'report', ...options, fds: [writeEnd, ...(options.fds ?? [])] })
  return JSON.parse(await heard()) as Report
}
