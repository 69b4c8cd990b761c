// A preforking server: the parent opens one listening socket, forks its workers, and closes its own descriptor.
// The workers have inherited the socket, and the kernel hands each connection to whichever accepts first.
// Nothing tells them to begin: fork returns, and their event loop goes on with the server that it has inherited.
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describeStatus, fork, kill, waitpid } from 'truefork'
import { say } from './support/say'

const workerCount = 4
const mostRequests = 1000

const server = createServer((_request, response) => response.end(String(process.pid)))

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  const workers: number[] = []
  while (workers.length < workerCount) {
    const pid = fork()
    if (pid === 0) return // to the child's own event loop, where the server goes on accepting
    workers.push(pid)
  }
  server.close()
  void superviseAll(workers, port)
})

async function superviseAll(workers: readonly number[], port: number): Promise<void> {
  say(`parent ${process.pid} forked ${workers.join(' ')} and accepts nothing itself`)
  try {
    const answers = await askUntilAllAnswered(workers, port)
    for (const pid of workers) say(`worker ${pid} answered ${answers.has(pid) ? 'requests' : 'nothing'}`)
    say(`strangers that answered: ${[...answers].filter((pid) => !workers.includes(pid)).length}`)
  } finally {
    for (const pid of workers) kill(pid, 'SIGTERM')
    for (const pid of workers) say(`worker ${pid} ended: ${JSON.stringify(describeStatus(waitpid(pid).status))}`)
  }
}

/** The pids that answered, after as many requests as it takes to hear of all workers. */
async function askUntilAllAnswered(workers: readonly number[], port: number): Promise<Set<number>> {
  const answers = new Set<number>()
  for (let count = 0; count < mostRequests && !workers.every((pid) => answers.has(pid)); count++) {
    answers.add(Number(await ask(port)))
  }
  return answers
}

function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // A connection for each request: a kept one would stay with its worker.
    const request = get({ host: '127.0.0.1', port, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve(body))
    })
    request.on('error', reject)
  })
}
