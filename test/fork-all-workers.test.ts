// Workers that live at the fork live on in parent and child.
import t from 'tap'
import { linesOf, withoutAllThreads } from './support/fork'

const skip = withoutAllThreads

const echoing = `
  const { Worker, MessageChannel } = require('node:worker_threads')
  const echo = 'const { parentPort } = require("node:worker_threads"); parentPort.on("message", (text) => parentPort.postMessage(text))'
  const startTwo = (next) => {
    let online = 0
    const workers = [0, 1].map(() => new Worker(echo, { eval: true }).on('online', () => ++online === 2 && next()))
    return workers
  }
`

t.test(
  'messages that are on their way at the fork arrive once in each process, and later ones too',
  { skip },
  async (t) => {
    const lines = await linesOf(`${echoing}
    const received = [[], []]
    const expected = Array.from({ length: 200 }, (_, i) => i)
    let pid
    const send = (from, to) => { for (let i = from; i < to; i++) for (const worker of workers) worker.postMessage(i) }
    const workers = startTwo(() => {
      send(0, 100)
      // Some have been answered, some not.
      setImmediate(() => {
        pid = fork()
        send(100, 200)
      })
    })
    workers.forEach((worker, i) => worker.on('message', (text) => {
      received[i].push(text)
      if (received.some((list) => list.length < 200)) return
      // One message more, for each that came twice.
      setTimeout(async () => {
        console.log(pid === 0 ? 'child' : 'parent', received.every((list) => list.join() === expected.join()))
        for (const worker of workers) await worker.terminate()
        if (pid !== 0) console.log(ending(pid))
      }, 20)
    }))
  `)
    t.same(lines.sort(), [0, 'child true', 'parent true'].sort())
  },
)

t.test('three generations ask the same two Workers a hundred times each', { skip }, async (t) => {
  const lines = await linesOf(
    `${echoing}
    const ask = (worker, text) => new Promise((resolve) => { worker.once('message', resolve); worker.postMessage(text) })
    const workers = startTwo(async () => {
      for (let generation = 1; generation <= 2; generation++) {
        const pid = fork()
        let right = 0
        for (let i = 0; i < 100; i++) {
          const answers = await Promise.all(workers.map((worker) => ask(worker, process.pid + ' ' + i)))
          right += answers.filter((answer) => answer === process.pid + ' ' + i).length
        }
        console.log('generation', pid === 0 ? generation : generation - 1, right)
        if (pid !== 0) { console.log(ending(pid)); break }
      }
      process.exit(0)
    })
  `,
    { timeoutMs: 40_000 },
  )
  // The first asks beside its child, and the child beside its parent, before and after it forks itself.
  t.same(lines.sort(), [0, 0, 'generation 0 200', 'generation 1 200', 'generation 1 200', 'generation 2 200'].sort())
})

t.test('Workers end in the child by terminate and by themselves, and the parent keeps its own', { skip }, async (t) => {
  const lines = await linesOf(`${echoing}
    const workers = startTwo(async () => {
      const pid = fork()
      if (pid === 0) {
        const [terminated, other] = workers
        console.log('child', await terminated.terminate())
        other.on('exit', (code) => console.log('child', code))
        other.postMessage('still there')
        other.once('message', (text) => { console.log('child', text); other.unref() })
        return
      }
      console.log(ending(pid))
      for (const worker of workers) {
        worker.postMessage('mine')
        worker.once('message', (text) => { console.log('parent', text); worker.terminate() })
      }
    })
  `)
  t.same(lines.sort(), [0, 'child 1', 'child still there', 'parent mine', 'parent mine'].sort())
})

t.test('Workers that talk to each other go on in both processes', { skip }, async (t) => {
  const lines = await linesOf(`${echoing}
    const talk = (first) => \`
      const { parentPort, workerData: { port } } = require('node:worker_threads')
      port.on('message', (count) => {
        parentPort.postMessage(count)
        if (count < 2000) port.postMessage(count + 1)
      })
      \${first ? 'port.postMessage(1)' : ''}
    \`
    const { port1, port2 } = new MessageChannel()
    const workers = [port1, port2].map((port) => new Worker(talk(port === port1), { eval: true, workerData: { port }, transferList: [port] }))
    const counts = []
    let pid
    for (const worker of workers) worker.on('message', (count) => {
      counts.push(count)
      if (pid === undefined && counts.length === 300) pid = fork()
      if (counts.length < 2000) return
      const all = counts.sort((a, b) => a - b).every((count, i) => count === i + 1)
      console.log(pid === 0 ? 'child' : 'parent', all)
      if (pid !== 0) console.log(ending(pid))
      process.exit(0)
    })
  `)
  t.same(lines.sort(), [0, 'child true', 'parent true'].sort())
})

t.test('a Worker deep in a computation finishes it in both', { skip }, async (t) => {
  const lines = await linesOf(`
    const { Worker } = require('node:worker_threads')
    const started = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(\`
      const { workerData, parentPort } = require('node:worker_threads')
      let sum = 0
      for (let i = 0; i < 3e7; i++) { sum = (sum + i * 31) % 1000003; if (i === 1e6) Atomics.store(workerData, 0, 1) }
      parentPort.postMessage(sum)
    \`, { eval: true, workerData: started })
    let expected = 0
    for (let i = 0; i < 3e7; i++) expected = (expected + i * 31) % 1000003
    const next = () => {
      const pid = fork()
      worker.on('message', (sum) => {
        console.log(pid === 0 ? 'child' : 'parent', sum === expected)
        if (pid !== 0) console.log(ending(pid))
      })
    }
    const look = () => (Atomics.load(started, 0) === 1 ? next() : setImmediate(look))
    look()
  `)
  t.same(lines.sort(), [0, 'child true', 'parent true'].sort())
})
