// Kernel objects under a fork with all threads: the child's own where two would take events from each other, shared
// where parent and child talk by them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { linesOf, withoutAllThreads } from './support/fork'
import { onLoad, withoutCompiler } from './support/native'

const skip = withoutAllThreads
const skipNative = withoutAllThreads || withoutCompiler

function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

/** JavaScript that makes kernel objects without this package; `fds` has their numbers by name. */
function nativeObjects(t: Test): string {
  const load = onLoad(
    folder(t),
    [
      'sys/epoll.h',
      'sys/eventfd.h',
      'sys/ioctl.h',
      'sys/signalfd.h',
      'sys/socket.h',
      'sys/timerfd.h',
      'fcntl.h',
      'signal.h',
      'stdio.h',
      'stdlib.h',
      'unistd.h',
    ],
    `
    int pipes[2], pair[2];
    if (pipe2(pipes, O_NONBLOCK) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) abort();
    fcntl(pipes[0], F_SETPIPE_SZ, 16384);
    if (write(pipes[1], "piped", 5) != 5 || write(pair[0], "there", 5) != 5 || write(pair[1], "back", 4) != 4) abort();
    int counter = eventfd(7, EFD_CLOEXEC);
    int semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec setting = {{5, 0}, {1000, 0}};
    timerfd_settime(timer, 0, &setting, 0);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    int signals = signalfd(-1, &mask, SFD_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {EPOLLIN | EPOLLET, {.u64 = 0x123456789abcdef0}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &wanted);
    int copy = dup(counter);
    char text[200];
    sprintf(text, "[%d,%d,%d,%d,%d,%d,%d,%d,%d,%d]", pipes[0], pipes[1], pair[0], pair[1], counter, semaphore, timer, signals, epoll, copy);
    setenv("OBJECTS", text, 1);
    `,
  )
  return `${load}
    const names = ['readEnd', 'writeEnd', 'socket', 'otherSocket', 'counter', 'semaphore', 'timer', 'signals', 'epoll', 'copy']
    const numbers = JSON.parse(process.env.OBJECTS)
    const fds = Object.fromEntries(names.map((name, i) => [name, numbers[i]]))
    // What differs between two objects of the same kind and state.
    const infoOf = (fd) => fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8').replace(/^(ino|eventfd-id):.*\\n/gm, '').replace(/ino:\\w+/g, '').replace(/it_value.*/, '')
    const count = (fd) => parseInt(/eventfd-count:\\s*(\\w+)/.exec(fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1], 16)
    const linkOf = (fd) => fs.readlinkSync('/proc/self/fd/' + fd)
    const drain = (fd) => { try { const buffer = Buffer.alloc(100); return buffer.toString('utf8', 0, fs.readSync(fd, buffer)) } catch ({ code }) { return code } }
    const addOne = (fd) => fs.writeSync(fd, Buffer.from(new BigUint64Array([1n]).buffer))
  `
}

t.test(
  'the child finds its event files under the same numbers and in the same state',
  { skip: skipNative },
  async (t) => {
    const [child, parent] = (await linesOf(`${nativeObjects(t)}
    const image = () => names.map((name) => [name, infoOf(fds[name])])
    const before = image()
    const pid = fork()
    if (pid === 0) { console.log(JSON.stringify(image())); _exit(0) }
    waitpid(pid)
    console.log(JSON.stringify(before))
    assert.deepStrictEqual(image(), before)
  `)) as [string[][], string[][]]
    t.equal(parent.length, 10)
    for (const [i, [name, info]] of parent.entries()) t.same(child[i], [name, info])
  },
)

t.test('what the child counts, reads and writes is its own', { skip: skipNative }, async (t) => {
  const lines = await linesOf(`${nativeObjects(t)}
    const image = () => JSON.stringify([count(fds.counter), count(fds.copy), count(fds.semaphore), drain(fds.readEnd), drain(fds.otherSocket), drain(fds.socket)])
    const pid = fork()
    if (pid === 0) {
      addOne(fds.counter)
      addOne(fds.semaphore)
      fs.writeSync(fds.writeEnd, ' more')
      fs.writeSync(fds.socket, ' more')
      console.log(image())
      console.log(drain(fds.readEnd))
      _exit(0)
    }
    waitpid(pid)
    console.log(image())
    console.log(drain(fds.readEnd))
  `)
  // A duplicate stays a duplicate of its own.
  t.same(lines, [
    [8, 8, 4, 'piped more', 'there more', 'back'],
    'EAGAIN',
    [7, 7, 3, 'piped', 'there', 'back'],
    'EAGAIN',
  ])
})

t.test('pipes, sockets and flags of descriptors are as before', { skip: skipNative }, async (t) => {
  const lines = await linesOf(`${nativeObjects(t)}
    const { F_GETFD, F_GETFL, F_GETPIPE_SZ, fcntl } = require('truefork')
    const image = () => JSON.stringify([numbers.map((fd) => [fcntl(fd, F_GETFD), fcntl(fd, F_GETFL)]), fcntl(fds.readEnd, F_GETPIPE_SZ)])
    const links = () => JSON.stringify(['readEnd', 'writeEnd', 'socket', 'otherSocket'].map((name) => linkOf(fds[name])))
    const [before, linksBefore] = [image(), links()]
    const pid = fork()
    if (pid === 0) {
      console.log(image() === before)
      const [readEnd, writeEnd, ...sockets] = JSON.parse(links())
      console.log(readEnd === writeEnd, JSON.parse(linksBefore).some((link) => links().includes(link)), new Set(sockets).size)
      _exit(0)
    }
    waitpid(pid)
    console.log(image() === before, links() === linksBefore)
  `)
  t.same(lines, [true, 'true false 2', 'true true'])
})

t.test('a pipe of pipe() and of pipe2() stays one for parent and child', { skip }, async (t) => {
  const lines = await linesOf(`
    const { O_CLOEXEC, O_NONBLOCK, pipe, pipe2 } = require('truefork')
    for (const [there, back] of [[pipe(), pipe()], [pipe2(O_CLOEXEC), pipe2(O_CLOEXEC)]]) {
      fs.writeSync(there[1], 'before ')
      const pid = fork()
      if (pid === 0) {
        const text = Buffer.alloc(20)
        let size = 0
        while (size < 12) size += fs.readSync(there[0], text, { offset: size })
        fs.writeSync(back[1], text.toString('utf8', 0, size) + ' back')
        _exit(0)
      }
      fs.writeSync(there[1], 'after')
      assert.strictEqual(ending(pid), 0)
      fs.closeSync(back[1])
      console.log(fs.readFileSync(back[0], 'utf8'))
    }
    const [readEnd] = pipe2(O_NONBLOCK)
    const link = fs.readlinkSync('/proc/self/fd/' + readEnd)
    const pid = fork()
    if (pid === 0) { console.log(fs.readlinkSync('/proc/self/fd/' + readEnd) === link); _exit(0) }
    waitpid(pid)
  `)
  t.same(lines, ['before after back', 'before after back', true])
})

t.test('a pipe of pipe() reaches the grandchildren, and its duplicates do', { skip }, async (t) => {
  const lines = await linesOf(`
    const { dup, pipe } = require('truefork')
    const [readEnd, writeEnd] = pipe()
    const copy = dup(writeEnd)
    for (let generation = 0; generation < 4; generation++) {
      const pid = fork()
      if (pid !== 0) { waitpid(pid); if (generation > 0) _exit(0); break }
      fs.writeSync(generation % 2 === 0 ? writeEnd : copy, String(generation))
      if (generation === 3) _exit(0)
    }
    fs.closeSync(writeEnd)
    fs.closeSync(copy)
    console.log(fs.readFileSync(readEnd, 'utf8'))
  `)
  t.same(lines, [123]) // "0123"
})

t.test('a socket whose other end another process has stays shared', { skip }, async (t) => {
  const lines = await linesOf(`
    const cat = require('node:child_process').spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
    const pid = fork()
    // Nothing by the stream: its end shuts the socket down for both.
    if (pid === 0) { fs.writeSync(cat.stdin._handle.fd, 'child '); _exit(0) }
    assert.strictEqual(ending(pid), 0)
    let text = ''
    cat.stdout.setEncoding('utf8').on('data', (more) => { text += more })
    cat.stdin.end('parent')
    cat.on('close', (code) => console.log(text, code))
  `)
  t.same(lines, ['child parent 0'])
})

t.test('in two hundred rounds of signals neither process loses one to the other', { skip }, async (t) => {
  const lines = await linesOf(`
    const { once } = require('node:events')
    let handled = 0
    process.on('SIGUSR1', () => { handled++ })
    const lifeline = setInterval(() => {}, 1000)
    const pid = fork()
    ;(async () => {
      for (let round = 1; round <= 200; round++) {
        const next = once(process, 'SIGUSR1')
        process.kill(process.pid, 'SIGUSR1')
        await next
        assert.strictEqual(handled, round)
      }
      clearInterval(lifeline)
      console.log(pid === 0 ? 'child' : 'parent', handled)
      if (pid !== 0) console.log(ending(pid))
    })()
  `)
  t.same(lines.sort(), [0, 'child 200', 'parent 200'].sort())
})

t.test('in two hundred rounds of the thread pool neither process loses a wake-up to the other', { skip }, async (t) => {
  const lines = await linesOf(`
    fs.stat('/', async () => {
      const pid = fork()
      let done = 0
      for (let round = 0; round < 200; round++) {
        await Promise.all([fs.promises.stat('/'), new Promise((resolve) => require('node:crypto').randomBytes(8, resolve))])
        done++
      }
      console.log(pid === 0 ? 'child' : 'parent', done)
      if (pid !== 0) console.log(ending(pid))
    })
  `)
  t.same(lines.sort(), [0, 'child 200', 'parent 200'].sort())
})

t.test('five hundred sockets go on answering, in the child and then in the parent', { skip }, async (t) => {
  const lines = await linesOf(
    `
    const net = require('node:net')
    const server = net.createServer((socket) => socket.pipe(socket))
    const clients = []
    server.listen(0, '127.0.0.1', () => connect())
    function connect() {
      if (clients.length === 250) return setImmediate(next)
      const client = net.connect(server.address().port, '127.0.0.1', connect)
      clients.push(client)
    }
    const askAll = () => Promise.all(clients.map((client, i) => new Promise((resolve) => {
      client.once('data', (data) => resolve(String(data) === process.pid + ' ' + i))
      client.write(process.pid + ' ' + i)
    })))
    async function next() {
      for (let turn = 0; turn < 3; turn++) {
        // The parent waits without looking at its sockets, which are the child's too.
        const pid = fork()
        if (pid !== 0) console.log(ending(pid))
        console.log(pid === 0 ? 'child' : 'parent', (await askAll()).filter(Boolean).length)
        if (pid === 0) _exit(0)
      }
      process.exit(0)
    }
  `,
    { timeoutMs: 40_000 },
  )
  t.same(lines, Array(3).fill(['child 250', 0, 'parent 250']).flat())
})

t.test('a server accepts in the child after the parent has closed its own', { skip }, async (t) => {
  const lines = await linesOf(`
    const http = require('node:http')
    const server = http.createServer((request, response) => response.end(String(process.pid))).listen(0, '127.0.0.1', async () => {
      const { port } = server.address()
      const pid = fork()
      if (pid === 0) return
      server.close()
      for (let i = 0; i < 3; i++) {
        const answer = await fetch('http://127.0.0.1:' + port, { headers: { connection: 'close' } })
        console.log(Number(await answer.text()) === pid)
      }
      process.kill(pid)
      console.log(ending(pid))
    })
  `)
  t.same(lines, [true, true, true, 'SIGTERM'])
})

t.test('the offset of an open file is shared, as fork(2) has it', { skip }, async (t) => {
  const lines = await linesOf(`
    const fd = fs.openSync('/proc/self/status')
    fs.readSync(fd, Buffer.alloc(5))
    const position = () => Number(/pos:\\s*(\\d+)/.exec(fs.readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1])
    const pid = fork()
    if (pid === 0) { fs.readSync(fd, Buffer.alloc(7)); _exit(position()) }
    console.log(ending(pid), position())
  `)
  t.same(lines, ['12 12'])
})
