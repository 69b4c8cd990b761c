// A function that runs in a child: Python's Process. A class attribute is memory as any other: the child of a fork finds
// what its parent has made of it, and what it makes of it itself the parent never sees; a spawned child imports the
// module anew, and finds what stands there.
import { getContext } from 'truefork/multiprocessing'
import { say } from './support/say'

class Counter {
  static count = 1
  readonly number = Counter.count
}

export function work(method: string, step: number): void {
  const found = Counter.count
  Counter.count += step
  say(`${method}: child ${process.pid} found ${found} and made it ${Counter.count}`)
}

async function main(): Promise<void> {
  Counter.count = 777
  for (const method of ['fork', 'spawn', 'forkserver'] as const) {
    const { Process } = getContext(method)
    const child = new Process({ target: work, args: [method, 10] })
    child.start()
    const { name, pid } = child
    await child.join()
    say(`${method}: ${name} was ${pid} and ended with ${child.exitCode}; here it is still ${Counter.count}`)
  }
}

// A spawned child imports this module, and must not start children of its own then.
if (require.main === module) void main()
