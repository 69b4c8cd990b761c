// Compiled, never run: what must compile does, and what must not is marked so.
import { type Connection, JoinableQueue, Pipe, Queue, type ReceivedValue, SimpleQueue } from 'truefork/multiprocessing'

const [receiver, sender]: [Connection, Connection] = Pipe(false)
receiver.recv() satisfies Promise<unknown>
receiver.recvWithFds({ signal: AbortSignal.timeout(1) }) satisfies Promise<ReceivedValue>
receiver.poll(10) satisfies Promise<boolean>
sender.send({ any: 'thing' }, { fds: [0] }) satisfies Promise<void>
sender.sendBytes(new Uint8Array(1))
sender.sendSync(1, { fds: [] })
for await (const value of receiver) value satisfies unknown
// @ts-expect-error a value of its own has no type
receiver.recvSync() satisfies number
// @ts-expect-error it can't be aborted
sender.sendSync(1, { signal: AbortSignal.timeout(1) })

const queue = new Queue(3)
queue.put(1, { timeoutMs: 5 }) satisfies Promise<void>
queue.get({ signal: AbortSignal.timeout(1) }) satisfies Promise<unknown>
queue.qsize() satisfies number
// @ts-expect-error only a JoinableQueue can be joined
queue.join()
new JoinableQueue().join() satisfies Promise<void>
new SimpleQueue().get() satisfies Promise<unknown>
// @ts-expect-error it has no limit
new SimpleQueue(3)
// @ts-expect-error the size is a number
new Queue('3')
