// A listening socket on its way to another process: the parent binds the port, sends the descriptor through a socketpair
// and closes its own. The child was started before, shares nothing else with it, and accepts. So a supervisor hands a
// port to a new release of a server, without a moment at which nobody listens.
import { closeSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describeStatus, fdTable, posix_spawn, recvFds, sendFds, socketpair, waitpid } from 'truefork'
import { say } from './support/say'

const channel = 100 // the number under which the child finds its end of the socketpair

function asParent(): void {
  const [own, childs] = socketpair()
  const pid = posix_spawn(process.execPath, [process.execPath, __filename, 'child'], {
    fileActions: [
      { action: 'dup2', fd: childs, newFd: channel },
      { action: 'close', fd: own },
      { action: 'close', fd: childs },
    ],
  })
  closeSync(childs)

  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    const listener = fdTable().find(({ socket }) => socket?.local === `127.0.0.1:${port}`)
    if (listener === undefined) throw new Error('the server has no descriptor')
    say(`parent ${process.pid} listens: ${listener.socket?.state}`)
    sendFds(own, [listener.fd], `port ${port}`)
    server.close() // the child's descriptor keeps the socket open, with all who are waiting to be accepted
    const client = connect(port, '127.0.0.1').setEncoding('utf8')
    client.on('data', (text: string) => say(`answer from ${text}`))
    client.on('close', () => {
      closeSync(own)
      say(`child ${pid} ended: ${JSON.stringify(describeStatus(waitpid(pid).status))}`)
    })
  })
}

function asChild(): void {
  const { fds, data } = recvFds(channel)
  const [fd] = fds
  say(
    `child ${process.pid} received ${fds.length} descriptor with the words "${data.toString().replace(/\d+/, '<number>')}"`,
  )
  const server = createServer((socket) => {
    socket.end(`process ${process.pid}`)
    server.close()
  })
  server.listen({ fd })
}

if (process.argv[2] === 'child') asChild()
else asParent()
