// truefork/multiprocessing: Python's module, in Node's habits.
export {
  Connection,
  type ConnectionPair,
  Pipe,
  type ReceivedValue,
  type SendOptions,
} from './multiprocessing/connection'
export { type Context, getContext } from './multiprocessing/context'
export { cpuCount } from './multiprocessing/cpu-count'
export { ForkServer } from './multiprocessing/fork-server'
export { ForkServerError, type ForkServerErrorCode } from './multiprocessing/fork-server-error'
export type { ForkedWorkerOptions, ForkServerOptions, WorkerStdio } from './multiprocessing/fork-server-options'
export { ForkedWorker, type WorkerExit } from './multiprocessing/forked-worker'
export type { ExportedFunction, StartMethod } from './multiprocessing/launcher'
export { EOFError } from './multiprocessing/message-channel'
export {
  activeChildren,
  type CurrentProcess,
  currentProcess,
  type ParentProcess,
  parentProcess,
} from './multiprocessing/own-process'
export { Process, type ProcessOptions, type Target } from './multiprocessing/process'
export {
  JoinableQueue,
  Queue,
  QueueEmptyError,
  QueueFullError,
  type QueueWait,
  SimpleQueue,
} from './multiprocessing/queue'
export { getStartMethod, setStartMethod } from './multiprocessing/start-methods'
