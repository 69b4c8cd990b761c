// A program that is at everything that a program can be at, and then starts Processes from the place that its argument
// names. Whatever happens writes who and what into a journal. At the end it tells what the journal says of the children.
import { AsyncResource } from 'node:async_hooks'
import { exec, execFile, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFile,
  readFileSync,
  rmSync,
  stat,
  watch,
  watchFile,
  writeFile,
  writeSync,
} from 'node:fs'
import { readFile as readFilePromise, stat as statPromise } from 'node:fs/promises'
import { createServer, get } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { MessageChannel, Worker } from 'node:worker_threads'
import { Process } from 'truefork/multiprocessing'

const main = process.pid
const folder = mkdtempSync(join(tmpdir(), 'busy-'))
const watched = join(folder, 'watched')
const touched = join(watched, 'touched')
const socketPath = join(folder, 'socket')
const journal = openSync(join(folder, 'journal'), 'a')
const note = (what: string) => writeSync(journal, `${process.pid === main ? 'parent' : 'child'} ${what}\n`)
const noting = (what: string) => () => void note(what)
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port

interface Work {
  httpPort: number
  echoPort: number
  client: Socket
  echoed(): number
  /** Begins one of everything. */
  kick(): void
}

let isOver = false
/** What a child has as well, and may clear, though it is its parent's. */
const immediates: NodeJS.Immediate[] = []

async function begin(onRequest: (end: () => void) => void): Promise<Work> {
  const events = ['exit', 'beforeExit', 'uncaughtException', 'unhandledRejection', 'rejectionHandled', 'warning']
  for (const event of [...events, 'SIGTERM', 'SIGUSR2', 'SIGCHLD', 'message']) process.on(event, noting(event))
  process.stdin.on('data', noting('stdin data')).on('end', noting('stdin end'))
  setInterval(noting('interval'), 3).unref()
  const again = () => {
    note('immediate after immediate')
    if (!isOver) setImmediate(again)
  }
  setImmediate(again)

  const server = createServer((request, response) => {
    note('http request')
    if (request.url === '/start') onRequest(() => response.end('started'))
    else setTimeout(() => response.end('slow'), 300)
  }).listen(0, '127.0.0.1')
  const pathServer = createNetServer((socket) => socket.end()).listen(socketPath)
  const echo = createNetServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1')
  const udp = createSocket('udp4').on('message', noting('datagram')).bind(0, '127.0.0.1')
  await Promise.all([server, pathServer, echo, udp].map((each) => once(each, 'listening')))
  const client = connect(portOf(echo), '127.0.0.1')
  await once(client, 'connect')
  let echoed = 0
  client.on('data', (bytes: Buffer) => {
    note('client data')
    echoed += bytes.length
  })
  get({ port: portOf(server), path: '/slow', host: '127.0.0.1' }, (response) => {
    note('http response')
    response.resume()
  })

  const cat = spawn('cat').on('exit', noting('exit of cat')).on('close', noting('close of cat'))
  cat.stdout.on('data', noting('data of cat'))
  spawn('sleep', ['0.15']).on('exit', noting('exit of sleep'))
  mkdirSync(watched)
  watch(watched, noting('watch'))
  watchFile(touched, { interval: 20 }, noting('watchFile'))
  const beats = 'setInterval(() => require("node:worker_threads").parentPort.postMessage(1), 5)'
  const worker = new Worker(beats, { eval: true }).on('message', noting('message')).on('exit', noting('exit of Worker'))
  await once(worker, 'message')
  const { port1, port2 } = new MessageChannel()
  port1.on('message', noting('message of a port'))

  const http2Server = createHttp2Server().listen(0, '127.0.0.1')
  await once(http2Server, 'listening')
  const session = connectHttp2(`http://127.0.0.1:${portOf(http2Server)}`)
  await once(session, 'connect')

  const kick = () => {
    session.ping(noting('ping')) // an immediate of Node's own, which JavaScript doesn't see but in its count
    client.write('x'.repeat(1000))
    cat.stdin.write('meow\n')
    for (let each = 0; each < 10; ++each) port2.postMessage(each)
    udp.send('datagram', udp.address().port, '127.0.0.1')
    writeFile(touched, String(Math.random()), noting('writeFile'))
    readFile(__filename, noting('readFile'))
    void statPromise(folder).then(noting('promise of stat'))
    for (const delay of [0, 1, 40]) setTimeout(noting(`timeout ${delay}`), delay)
    process.nextTick(noting('tick'))
    queueMicrotask(noting('microtask'))
    immediates.push(setImmediate(noting('immediate')))
    Promise.reject(new Error('caught')).catch(noting('catch'))
    const late = Promise.reject(new Error('late'))
    setTimeout(() => late.catch(noting('late catch')), 60)
    const closing = createNetServer().listen(0, () => closing.close(noting('close of a server')))
    exec('true', noting('exec'))
  }
  return { httpPort: portOf(server), echoPort: portOf(echo), client, echoed: () => echoed, kick }
}

/** All that a child can do with an event loop of its own. */
async function target(): Promise<void> {
  await sleep(30)
  for (const immediate of immediates) clearImmediate(immediate)
  await new Promise((resolve) => setImmediate(resolve))
  const { length } = await readFilePromise(__filename)
  const server = createServer((_, response) => response.end('served')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const request = get({ port: portOf(server), host: '127.0.0.1' })
  const [response] = await once(request, 'response')
  const [body] = await once(response.setEncoding('utf8'), 'data')
  const { stdout } = await promisify(execFile)('echo', ['echoed'])
  const left = ['exit', 'SIGTERM', 'message', 'uncaughtException'].filter((event) => process.listenerCount(event) > 0)
  const listening = process.stdin.listenerCount('data')
  console.log(JSON.stringify({ target: [length > 0, body, stdout.trim(), left, listening] }))
  process.exitCode = 7
}

async function runProcesses(work: Work): Promise<(number | null)[]> {
  const targets = [target, () => Promise.reject(new Error('thrown in a child')), () => process.exit(5)]
  const processes = targets.map((each) => {
    work.kick()
    const child = new Process({ target: each })
    child.start()
    return child
  })
  work.kick()
  await Promise.all(processes.map((each) => each.join()))
  return processes.map(({ exitCode }) => exitCode)
}

async function report(codes: readonly (number | null)[], work: Work): Promise<void> {
  await sleep(100) // for what comes late
  const before = work.echoed()
  work.client.write('still there')
  while (work.echoed() - before < 11) await once(work.client, 'data')
  isOver = true
  const lines = readFileSync(join(folder, 'journal'), 'utf8').split('\n')
  const ofParent = new Set(lines.filter((line) => line.startsWith('parent')))
  const ofChildren = [...new Set(lines.filter((line) => line.startsWith('child')))]
  console.log(JSON.stringify({ codes, ofChildren, kinds: ofParent.size, hasPath: existsSync(socketPath) }))
  rmSync(folder, { recursive: true })
  process.kill(process.pid, 'SIGKILL') // nothing of all this is to be ended in order
}

const places: Readonly<Record<string, (start: () => void, work: Work) => unknown>> = {
  'a timeout': (start) => [setTimeout(start, 5), setTimeout(noting('next of its list'), 5)],
  'an interval': (start) => {
    const interval = setInterval(() => {
      clearInterval(interval)
      start()
    }, 5)
  },
  'an immediate': (start) => [noting('first'), start, noting('third')].map((each) => setImmediate(each)),
  'the first of several immediates': (start) =>
    immediates.push(...[start, noting('second'), noting('third')].map((each) => setImmediate(each))),
  'a tick of an immediate': (start) => setImmediate(() => process.nextTick(start)),
  'a tick': (start) => [start, noting('next tick')].map((each) => process.nextTick(each)),
  'a microtask': (start) => [start, noting('next microtask')].map((each) => queueMicrotask(each)),
  'a tick of a timeout': (start) => setTimeout(() => process.nextTick(start), 5),
  'a promise': (start) => Promise.resolve().then(start).finally(noting('finally of a promise')),
  'the answer to a request of files': (start) => {
    for (const answer of [start, noting('second stat'), noting('third stat')]) stat(__filename, answer)
  },
  'the answer to a promise of files': (start) => {
    for (const answer of [start, noting('second stat')]) void statPromise(__filename).then(answer)
  },
  'a stream': (start) => createReadStream(__filename).once('data', start).on('end', noting('end of the stream')),
  'a socket': (start, { echoPort }) => {
    const socket = connect(echoPort, '127.0.0.1', () => socket.write('x'))
    socket.once('data', start).on('close', noting('close of the socket'))
  },
  'a request to a server': (_, { httpPort }) =>
    get({ port: httpPort, host: '127.0.0.1', path: '/start' }, (response) => response.resume()),
  'an AsyncResource': (start) => setImmediate(() => new AsyncResource('test').runInAsyncScope(start)),
  'a listener': (start) => {
    const emitter = new EventEmitter().on('go', start).on('go', noting('second listener'))
    setTimeout(() => emitter.emit('go'), 5)
  },
  'a signal': (start) => {
    process.once('SIGUSR1', start)
    process.kill(process.pid, 'SIGUSR1')
  },
  'the end of a child': (start) => spawn('true').on('exit', start),
  'the close of a server': (start) => {
    const server = createNetServer().listen(0, () => server.close(start))
  },
  'a message': (start) => {
    const { port1, port2 } = new MessageChannel()
    port1.once('message', () => {
      port1.close()
      start()
    })
    port2.postMessage(1)
  },
}

export const placeNames = Object.keys(places)

if (require.main === module) {
  let work: Work
  const start = (end: () => void = () => {}): void => {
    try {
      void runProcesses(work).then((codes) => {
        end()
        return report(codes, work)
      })
    } finally {
      note('finally')
    }
    note('below the start')
  }
  void begin(start).then((begun) => {
    work = begun
    places[process.argv[2] as string]?.(() => start(), work)
  })
}
