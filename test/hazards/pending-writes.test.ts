import t from 'tap'
import { singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads
const megabytes = 4
// A reader that begins when it is told to, and prints how much there was: what a pipe has no room for stays in Node.
const owing = `
  const { spawn } = require('node:child_process')
  const reader = spawn('sh', ['-c', 'kill -STOP $$; wc -c'], { stdio: ['pipe', 'inherit', 'inherit'] })
  const size = ${megabytes} * 2 ** 20
  reader.stdin.on('error', () => {}) // it may be killed before it has read
  const written = new Promise((resolve) => reader.stdin.write(Buffer.alloc(size), resolve))
`

t.test('bytes that a pipe still owes are told, with the pipe', { skip }, async (t) => {
  const [[severity, detail]] = (await hazardLines(`${owing}
    const { severity, detail } = told('pending-writes')
    say(severity, detail, detail.includes(String(reader.stdin._handle.fd)))
    reader.kill('SIGKILL')`)) as [[string, string]]
  t.equal(severity, 'unsafe')
  t.match(detail, /: \d+ bytes to \d+ \(socket:\[\d+\] unix stream established\)$/)
})

t.test('both would send them, and the reader gets them twice', { skip }, async (t) => {
  const lines = await hazardLines(`${owing}
    const pending = Number(/(\\d+) bytes/.exec(told('pending-writes').detail)[1])
    const pid = fork({ accept: ['pending-writes'] })
    if (pid === 0) written.then(() => _exit(5))
    else {
      const goOn = setInterval(() => reader.kill('SIGCONT'), 20) // it may not have come to its stop yet
      reader.on('close', () => clearInterval(goOn))
      written.then(() => { say(size + pending, ending(pid)); reader.stdin.end() })
    }`)
  const [[expected, code], total] = lines as [[number, number], number]
  t.ok(total > megabytes * 2 ** 20)
  t.same([total, code], [expected, 5])
})

t.test('what the kernel has taken is owed no longer', { skip }, async (t) => {
  const lines = await hazardLines(`
    const { createServer, connect } = require('node:net')
    const server = createServer((socket) => socket.resume()).listen(0, () => {
      const socket = connect(server.address().port, () => {
        socket.write('small')
        say(told('pending-writes').severity)
        socket.write(Buffer.alloc(2 ** 22), () => { say(told('pending-writes').severity, answer()); socket.destroy(); server.close() })
      })
    })`)
  t.same(lines, [['none'], ['none', 'forks']])
})

t.test('it refuses unless it is accepted, with all threads or one', { skip }, async (t) => {
  const source = `${owing} answers('pending-writes', OPTIONS).then((all) => { say(...all); reader.kill('SIGKILL') })`
  t.same(await hazardLines(source.replace('OPTIONS', '{}')), [answersFor('pending-writes', 'unsafe')])
  t.same(await hazardLines(source.replace('OPTIONS', `{ threads: 'caller' }`), singleThreaded), [
    answersFor('pending-writes', 'unsafe'),
  ])
})
