// A process for each connection, as Python's ForkingMixIn has it: the server accepts, forks and closes its copy of the
// connection; the child serves it and ends. Whatever a request does to memory is gone with its process, and one that
// crashes takes nobody with it. The price is a fork for each: see the next example for workers that stay.
import { createServer as createHttpServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { describeStatus, fork, kill, WNOHANG, waitpid } from 'truefork'
import { say } from './support/say'

let requests = 0

function answer({ url }: IncomingMessage, response: ServerResponse): void {
  requests++
  if (url === '/crash') throw new Error('this request is a bad one')
  response.setHeader('connection', 'close').end(`process ${process.pid}, request ${requests} of its memory`)
}

function serve(listener: Server): void {
  say(`server ${process.pid} listens`)
  process.on('SIGCHLD', reapAll)
  listener.on('connection', (connection: Socket) => {
    if (fork() === 0) {
      process.off('SIGCHLD', reapAll)
      listener.close()
      // All that the child has: one connection. Once that is closed nothing is left to do.
      createHttpServer(answer).emit('connection', connection)
      process.on('uncaughtException', ({ message }) => {
        say(`child: ${message}`)
        process.exit(1)
      })
    } else {
      connection.destroy() // the child's copy stays open
    }
  })
}

/** One signal may stand for several children. */
function reapAll(): void {
  try {
    for (;;) {
      const { pid, status } = waitpid(-1, WNOHANG)
      if (pid === 0) return
      say(`server: child ${pid} ended: ${JSON.stringify(describeStatus(status))}`)
    }
  } catch {} // ECHILD: nobody is left
}

async function ask(port: number, path: string): Promise<void> {
  const text = await new Promise<string>((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (piece: string) => resolve(`answer from ${piece}`))
    })
    request.on('error', ({ message }) => resolve(`no answer: ${message}`))
  })
  say(`client: ${path} has ${text}`)
}

const listener = createServer()
listener.listen(0, '127.0.0.1', async () => {
  const { port } = listener.address() as AddressInfo
  // The clients are in another process, or each child would have copies of their connections as well.
  const server = fork()
  if (server === 0) return serve(listener)
  listener.close()
  for (const path of ['/', '/', '/crash', '/']) await ask(port, path)
  kill(server, 'SIGTERM')
  say(`server ended: ${JSON.stringify(describeStatus(waitpid(server).status))}`)
})
