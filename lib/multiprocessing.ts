// truefork/multiprocessing: Python's module, in Node's habits.
export {
  Connection,
  type ConnectionPair,
  Pipe,
  type ReceivedValue,
  type SendOptions,
} from './multiprocessing/connection'
export { cpuCount } from './multiprocessing/cpu-count'
export { ForkServer } from './multiprocessing/fork-server'
export { ForkServerError, type ForkServerErrorCode } from './multiprocessing/fork-server-error'
export type { ForkedWorkerOptions, ForkServerOptions, WorkerStdio } from './multiprocessing/fork-server-options'
export { ForkedWorker, type WorkerExit } from './multiprocessing/forked-worker'
export { EOFError } from './multiprocessing/message-channel'
export {
  JoinableQueue,
  Queue,
  QueueEmptyError,
  QueueFullError,
  type QueueWait,
  SimpleQueue,
} from './multiprocessing/queue'
