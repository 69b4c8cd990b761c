// A preforking server whose workers are replaced: each serves so many requests and ends, as with gunicorn's
// max_requests, so that what a request leaks is never kept for long; and one that dies is replaced at once. The parent
// holds the listening socket and accepts nothing, so no connection is lost in between: it waits in the socket's queue.
import { closeSync } from 'node:fs'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describeStatus, dup, fdTable, fork, kill, WNOHANG, waitpid } from 'truefork'
import { say } from './support/say'

const workerCount = 2
const maxRequests = 5
const requestCount = 30

const workers = new Set<number>()
let patience: NodeJS.Timeout | undefined

/** False in the worker, whose event loop goes on with its server. */
function startWorker(listener: number): boolean {
  const pid = fork()
  if (pid === 0) beWorker(listener)
  else workers.add(pid)
  return pid !== 0
}

function beWorker(listener: number): void {
  leaveParentsWork()
  let served = 0
  const server = createServer(({ url }, response) => {
    served++
    if (url === '/crash') process.kill(process.pid, 'SIGKILL')
    response.setHeader('connection', 'close').end(String(process.pid))
    if (served === maxRequests) server.close() // what has been accepted is served; then nothing is left to do
  })
  server.listen({ fd: listener })
}

async function beClient(listener: number, port: number): Promise<void> {
  closeSync(listener)
  const answers = new Map<string, number>()
  for (let count = 0; count < requestCount; count++) {
    const pid = await ask(port, '/')
    answers.set(pid, (answers.get(pid) ?? 0) + 1)
    if (count === 12) say(`client: ${await ask(port, '/crash')}`)
  }
  const counts = [...answers.values()]
  say(`client: ${counts.reduce((sum, own) => sum + own)} answers from ${counts.length} workers`)
  say(`client: at most ${Math.max(...counts)} by one of them`)
}

function ask(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', resolve)
    })
    request.on('error', () => resolve('a worker died with the request'))
  })
}

/** On SIGCHLD: a worker gets a successor, until the client is done. */
function reapAll(listener: number, client: number): void {
  for (;;) {
    const { pid, status } = waitpid(-1, WNOHANG)
    if (pid === 0) return
    if (pid === client) {
      finish()
      return
    }
    workers.delete(pid)
    const ending = describeStatus(status)
    if (ending.kind === 'signaled') say(`parent: a worker was ended by ${ending.signal}, and is replaced`)
    if (!startWorker(listener)) return
  }
}

/** What only the parent is to do: reap, and live on without anything else to do. */
function leaveParentsWork(): void {
  process.removeAllListeners('SIGCHLD')
  clearInterval(patience)
}

function finish(): void {
  leaveParentsWork()
  for (const pid of workers) kill(pid, 'SIGTERM')
  for (const pid of workers) waitpid(pid)
  say(`parent: the client is done, and the last ${workers.size} workers have ended`)
}

function supervise(listener: number, port: number): void {
  const client = fork()
  if (client === 0) {
    void beClient(listener, port)
    return
  }
  process.on('SIGCHLD', () => reapAll(listener, client))
  patience = setInterval(() => {}, 60_000)
  while (workers.size < workerCount) if (!startWorker(listener)) return
}

const opener = createServer()
opener.listen(0, '127.0.0.1', () => {
  const { port } = opener.address() as AddressInfo
  const opened = fdTable().find(({ socket }) => socket?.local === `127.0.0.1:${port}`)
  if (opened === undefined) throw new Error('the server has no descriptor')
  const listener = dup(opened.fd) // keeps the socket listening, outside of the event loop
  opener.close(() => supervise(listener, port))
})
