// A test runner that is warm: each test file runs in a process of its own, so that none meets what another has left
// behind, and none waits for the modules that all of them need: the fork server has loaded these once. Here it is the
// compiler of TypeScript, which takes half a second to load, and a fork some milliseconds.
import { once } from 'node:events'
import { closeSync, readdirSync } from 'node:fs'
import { Socket } from 'node:net'
import { basename, join } from 'node:path'
import { F_SETFD, FD_CLOEXEC, fcntl, pipe } from 'truefork'
import { cpuCount, ForkServer } from 'truefork/multiprocessing'
import { say } from './support/say'

interface Result {
  file: string
  code: number | null
  output: string
}

/** In a worker: a test file is a program that fails by throwing. */
export async function runTestFile(file: string): Promise<void> {
  await import(file)
}

async function runInWorker(server: ForkServer, file: string): Promise<Result> {
  const [readEnd, writeEnd] = pipe()
  fcntl(readEnd, F_SETFD, FD_CLOEXEC)
  const reader = new Socket({ fd: readEnd, readable: true, writable: false }).setEncoding('utf8')
  let output = ''
  reader.on('data', (text: string) => {
    output += text
  })
  const stdio = ['ignore', writeEnd, writeEnd] as const
  const starting = server.fork({ module: __filename, export: 'runTestFile', args: [file], stdio })
  closeSync(writeEnd)
  const [worker] = await Promise.all([starting, once(reader, 'close')])
  const { code } = await worker.exited
  return { file: basename(file), code, output }
}

/** So many at a time as there are processors. */
async function runAll(server: ForkServer, files: readonly string[]): Promise<Result[]> {
  const results: Result[] = []
  const waiting = [...files]
  const runNext = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      results.push(await runInWorker(server, file))
    }
  }
  await Promise.all(Array.from({ length: cpuCount() }, runNext))
  return results.sort((a, b) => (a.file < b.file ? -1 : 1))
}

async function main(): Promise<void> {
  const directory = join(__dirname, 'support', 'tests')
  const files = readdirSync(directory).filter((name) => name.endsWith('.js'))
  const server = await ForkServer.start({ preload: ['typescript', 'node:assert/strict'] })
  const results = await runAll(
    server,
    files.map((name) => join(directory, name)),
  )
  await server.close()
  for (const { file, code, output } of results) {
    say(`${code === 0 ? 'ok' : 'not ok'} ${file}`)
    const message = /^\w*Error.*$/m.exec(output)?.[0]
    if (message !== undefined) say(`   ${message}`)
  }
  say(`${results.filter(({ code }) => code === 0).length} of ${results.length} passed`)
}

if (require.main === module) void main()
