// A child under the debugger, and its parent is not. The child opens its inspector on a port of its own; Node says on
// stderr where. A debugger is any program that speaks the inspector's protocol over a WebSocket: here a third process,
// which sets a breakpoint in the child, stops it, looks around, steps, changes a variable and lets it go on.
// `node --inspect` does the same by itself: the parent keeps its port, and each child tells one of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, readSync, writeSync } from 'node:fs'
import { open, url } from 'node:inspector'
import { pathToFileURL } from 'node:url'
import { describeStatus, fork, pipe, waitpid } from 'truefork'
import { say } from './support/say'

function work(number: number): number {
  const doubled = number * 2 // the breakpoint
  return doubled
}

function asChild(writeEnd: number): void {
  open(0) // whatever port is free
  writeSync(writeEnd, url() ?? '')
  setInterval(() => {
    const result = work(20)
    if (result === 40) return
    say(`child: work(20) is ${result}, as the debugger wants it`)
    process.exit()
  }, 1)
}

function asParent(): void {
  const [readEnd, writeEnd] = pipe()
  const pid = fork()
  if (pid === 0) {
    asChild(writeEnd)
    return
  }
  const address = Buffer.alloc(100)
  const size = readSync(readEnd, address) // waits for the child to tell
  const client = startDebugger(address.toString('utf8', 0, size))
  client.on('message', () => {
    let rounds = 0
    const timer = setInterval(() => {
      if (++rounds < 10) return
      clearInterval(timer)
      say(`parent: the child stands still, and I have gone ${rounds} rounds`)
      client.send('go on')
    }, 1)
  })
  client.on('exit', () => say(`parent: the child ended: ${JSON.stringify(describeStatus(waitpid(pid).status))}`))
}

/** Node has a WebSocket since 22, and 20 under this option. */
function startDebugger(address: string): ChildProcess {
  return spawn(process.execPath, ['--experimental-websocket', __filename, address], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

async function asDebugger(address: string): Promise<void> {
  const { call, event, leave } = await connect(address)
  await call('Debugger.enable')
  const lineNumber = readFileSync(__filename, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes('// the breakpoint'))
  let paused = event('Debugger.paused')
  await call('Debugger.setBreakpointByUrl', { url: pathToFileURL(__filename).href, lineNumber })
  const [stopped] = (await paused)['callFrames']
  const look = async (callFrameId: string, expression: string) =>
    (await call('Debugger.evaluateOnCallFrame', { callFrameId, expression }))['result'].value
  say(`debugger: ${stopped.functionName} stopped, number is ${await look(stopped.callFrameId, 'number')}`)
  const variable = { callFrameId: stopped.callFrameId, scopeNumber: 0, variableName: 'number' } // scope 0: the function's
  await call('Debugger.setVariableValue', { ...variable, newValue: { value: 500 } })

  process.send?.('stopped')
  await new Promise((resolve) => process.once('message', resolve))

  paused = event('Debugger.paused')
  await call('Debugger.stepOver')
  const [next] = (await paused)['callFrames']
  say(`debugger: one step further, doubled is ${await look(next.callFrameId, 'doubled')}`)
  leave() // takes the breakpoint away, and lets the child go on
  process.disconnect()
}

// biome-ignore lint/suspicious/noExplicitAny: the protocol's own shapes
type Fields = Record<string, any>

interface Client {
  call(method: string, params?: Fields): Promise<Fields>
  event(method: string): Promise<Fields>
  leave(): void
}

async function connect(address: string): Promise<Client> {
  const socket = new WebSocket(address)
  const awaited = new Map<unknown, (fields: Fields) => void>()
  const event = (key: unknown): Promise<Fields> => new Promise((resolve) => awaited.set(key, resolve))
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params, result } = JSON.parse(String(data))
    awaited.get(id ?? method)?.(result ?? params)
  })
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  let calls = 0
  const call = (method: string, params?: Fields): Promise<Fields> => {
    socket.send(JSON.stringify({ id: ++calls, method, params }))
    return event(calls)
  }
  return { call, event, leave: () => socket.close() }
}

const [, , address] = process.argv
if (address === undefined) asParent()
else void asDebugger(address)
