// What the children do, and what each must tell of it through its pipe before it ends.
import { execFile } from 'node:child_process'
import { createHash, pbkdf2, pbkdf2Sync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { gunzip, gzip } from 'node:zlib'
import { allocate, compile } from './busy'
import type { Load } from './load'

export interface Kind {
  /** Runs in the child. It tells what this resolves to, and ends by _exit(0), unless this ends the process itself. */
  run(load: Load, tell: (answer: unknown) => void): unknown
  /** What must come through the pipe: all of it as JSON, or anything that has this in it. */
  tells: unknown
  /** How the child must end: an exit code or a signal. */
  ending: number | NodeJS.Signals
}

function does(tells: unknown, run: Kind['run']): Kind {
  return { run, tells, ending: 0 }
}

const never = new Promise<never>(() => {})
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')

async function listening(answer: (url: string) => string): Promise<[Server, number]> {
  const server = createServer((request, response) => response.end(answer(request.url as string))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return [server, (server.address() as AddressInfo).port]
}

function closed(server: Server): Promise<unknown> {
  server.close()
  server.closeAllConnections()
  return once(server, 'close')
}

async function bodyOf(port: number, path: string): Promise<string> {
  const request = get({ port, path, host: '127.0.0.1' })
  const [response] = await once(request, 'response')
  return text(response)
}

// @types/node has no types for it.
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>
  instantiate(module: object): Promise<{ exports: Record<string, unknown> }>
}

// (n) => n + (n - 1) + ... + 1, as a loop.
const sumInWasm = Buffer.from(
  `0061736d01000000 0106 01 60 017f017f 0302 0100 0707 01 0373756d 0000 0a1b 01 19 01017f
   0340 2000 2001 6a 2101 2000 4101 6b 2200 0d00 0b 2001 0b`.replace(/\s/g, ''),
  'hex',
)

export const kinds: Readonly<Record<string, Kind>> = {
  timers: does({ alike: [0, 1, 2, 3, 4], early: 0, immediates: 1 }, async () => {
    // Only timers of one duration promise an order: a thread that loses the processor starts the next one late.
    const alike: number[] = []
    let early = 0
    let immediates = 0
    const timer = (delay: number, then: () => void) => {
      const start = performance.now()
      return new Promise<void>((resolve) => {
        setTimeout(() => {
          if (performance.now() - start < delay - 1) early++ // libuv counts in whole milliseconds
          resolve(then())
        }, delay)
      })
    }
    const immediate = new Promise<void>((resolve) => setImmediate(() => resolve(void immediates++)))
    const same = [0, 1, 2, 3, 4].map((index) => timer(20, () => alike.push(index)))
    await Promise.all([immediate, ...same, ...[5, 11, 17].map((delay) => timer(delay, () => {}))])
    return { alike, early, immediates }
  }),

  promises: does(5050, async () => {
    let sum = 0
    for (let index = 1; index <= 100; index++) sum += await index
    return sum
  }),

  fs: does([sha256(readFileSync(__filename)), true], async () => {
    return [sha256(await readFile(__filename)), (await stat(__dirname)).isDirectory()]
  }),

  gc: does([600_000, 199_990_000], () => {
    const kept = Array.from({ length: 20_000 }, (_, index) => ({ index }))
    const elements = allocate(60, 10_000)
    gc?.()
    return [elements, kept.reduce((sum, { index }) => sum + index, 0)]
  }),

  jit: does([999_000, 999_000], () => [compile(Date.now(), 3000), compile(Date.now() + 1, 3000)]),

  wasm: does(500_500, async () => {
    const module = await WebAssembly.compile(sumInWasm)
    const { exports } = await WebAssembly.instantiate(module)
    return (exports['sum'] as (n: number) => number)(1000)
  }),

  http: does(['/a', '/b', '/c'], async () => {
    const [server, port] = await listening((url) => url)
    const bodies = await Promise.all(['/a', '/b', '/c'].map((path) => bodyOf(port, path)))
    await closed(server)
    return bodies
  }),

  fetch: does(['/a', '/b'], async () => {
    const [server, port] = await listening((url) => url)
    const body = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    const bodies = [await body('/a'), await body('/b')]
    await closed(server)
    return bodies
  }),

  crypto: does(pbkdf2Sync('soak', 'salt', 1000, 16, 'sha256').toString('hex'), async () => {
    return (await promisify(pbkdf2)('soak', 'salt', 1000, 16, 'sha256')).toString('hex')
  }),

  zlib: does(sha256(Buffer.alloc(100_000, 'soak')), async () => {
    const packed = await promisify(gzip)(Buffer.alloc(100_000, 'soak'))
    return sha256(await promisify(gunzip)(packed))
  }),

  // Before a Worker or the process ends by itself, Node waits until V8's threads have nothing to do for anybody:
  // other Workers that never rest could keep it for ever.
  'new Worker': does([42, 0], async (load) => {
    load.rest()
    const worker = new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true })
    const ended = once(worker, 'exit')
    const [answer] = await once(worker, 'message')
    const [code] = await ended
    return [answer, code]
  }),

  'live Worker': does('each told its own index', async (load) => {
    const answers = [await load.askAll(), await load.askAll()]
    const right = answers.every((each) => each.every((answer, index) => answer === index))
    return right ? 'each told its own index' : answers
  }),

  'terminated Worker': does('each ended with 1', async (load) => {
    const codes = await Promise.all(load.workers.map((worker) => worker.terminate()))
    return codes.every((code) => code === 1) ? 'each ended with 1' : codes
  }),

  spawn: does('soaked\n', async () => (await promisify(execFile)('echo', ['soaked'])).stdout),

  import: does(['imported', 'bar'], async () => {
    const fromText = await import(`data:text/javascript,export default 'imported' // ${Date.now()}`)
    const { posix } = await import('node:path')
    return [fromText.default, posix.basename('/foo/bar')]
  }),

  'process.exit': {
    run: (_load, tell) => {
      process.once('exit', tell)
      process.exit(7)
    },
    tells: 7,
    ending: 7,
  },

  'natural exit': {
    run: (load, tell) => {
      load.rest()
      for (const worker of load.workers) worker.unref()
      process.once('exit', tell)
      process.exitCode = 8
      return never
    },
    tells: 8,
    ending: 8,
  },

  'uncaught error': {
    run: () => {
      setTimeout(() => {
        throw new Error('nobody catches this')
      }, 1)
      return never
    },
    tells: /^Error: nobody catches this$/m,
    ending: 1,
  },

  signal: {
    run: (_load, tell) => {
      tell('about to be killed')
      process.kill(process.pid, 'SIGTERM')
      return never
    },
    tells: 'about to be killed',
    ending: 'SIGTERM',
  },
}
