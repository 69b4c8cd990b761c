// Compiled, never run: what must compile does, and what must not is marked so.
import {
  activeChildren,
  type Context,
  type CurrentProcess,
  currentProcess,
  type ExportedFunction,
  getContext,
  getStartMethod,
  type ParentProcess,
  Process,
  type ProcessOptions,
  parentProcess,
  type StartMethod,
  setStartMethod,
  type Target,
} from 'truefork/multiprocessing'

const target: Target<[number, string]> = (count: number, word: string) => word.repeat(count)
const options: ProcessOptions<[number, string]> = { target, args: [1, 'x'], name: 'n', daemon: true }
const child = new Process(options)
child.start()
child.join() satisfies Promise<boolean>
child.join(100) satisfies Promise<boolean>
child.exitCode satisfies number | null
child.pid satisfies number | null
child.name = 'other'
child.daemon = false
const exported: ExportedFunction = { module: './m.js', export: 'f' }
new Process({ target: exported })
new Process()
new Process({ target: async () => {} })

class Counter extends Process {
  static count = 0
  override async run() {
    Counter.count++
  }
}
new Counter().start()

const method: StartMethod = getStartMethod()
setStartMethod(method)
setStartMethod('spawn', { force: true })
const context: Context = getContext('spawn')
new context.Process({ target: () => {} }).terminate()
const current: CurrentProcess = currentProcess()
current.name satisfies string
const parent: ParentProcess | null = parentProcess()
parent?.join(10) satisfies Promise<boolean> | undefined
activeChildren() satisfies Process[]

// @ts-expect-error no such method
setStartMethod('thread')
// @ts-expect-error the argument is a number
new Process({ target: (count: number) => count, args: ['one'] })
// @ts-expect-error a number
child.join('100')
// @ts-expect-error no setter
child.exitCode = 1
