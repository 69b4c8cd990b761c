// Where a Lock can go. It is memory that processes share: a child gets it as an argument, however it is started. A Queue
// carries values to a process that may have nothing to do with this one, or to nobody: there a Lock is refused, and so is
// what has no meaning in another process, such as a function.
import { getContext, Lock, Queue, Value } from 'truefork/multiprocessing'
import { say } from './support/say'

const rounds = 200

export async function count(lock: Lock, value: Value<'int32'>): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await lock.acquire()
    value.value = value.value + 1 // two steps, which the lock makes one
    lock.release()
  }
}

async function main(): Promise<void> {
  const lock = new Lock()
  for (const method of ['fork', 'spawn', 'forkserver'] as const) {
    const value = new Value('int32', 0)
    const { Process } = getContext(method)
    const children = [1, 2].map(() => new Process({ target: count, args: [lock, value] }))
    for (const child of children) child.start()
    for (const child of children) await child.join()
    say(`${method}: 2 children counted to ${value.value}`)
  }
  const queue = new Queue()
  for (const message of [{ lock }, { callback: () => {} }]) {
    try {
      await queue.put(message)
    } catch (error) {
      say(`Queue: ${(error as Error).message}`)
    }
  }
  queue.close()
}

if (require.main === module) void main()
