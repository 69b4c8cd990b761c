// truefork/multiprocessing: Python's module, in Node's habits.
export { Barrier, type BarrierOptions } from './multiprocessing/barrier'
export { BrokenBarrierError } from './multiprocessing/broken-barrier-error'
export { Condition } from './multiprocessing/condition'
export {
  Connection,
  type ConnectionPair,
  Pipe,
  type ReceivedValue,
  type SendOptions,
} from './multiprocessing/connection'
export { type Context, getContext } from './multiprocessing/context'
export { cpuCount } from './multiprocessing/cpu-count'
export type { ElementOf, ElementType, ViewOf } from './multiprocessing/element-types'
export { Event } from './multiprocessing/event'
export { ForkServer } from './multiprocessing/fork-server'
export { ForkServerError, type ForkServerErrorCode } from './multiprocessing/fork-server-error'
export type { ForkedWorkerOptions, ForkServerOptions, WorkerStdio } from './multiprocessing/fork-server-options'
export { ForkedWorker, type WorkerExit } from './multiprocessing/forked-worker'
export { setForkserverPreload } from './multiprocessing/launch-forkserver'
export type { ExportedFunction, StartMethod } from './multiprocessing/launcher'
export { Lock } from './multiprocessing/lock'
export { EOFError } from './multiprocessing/message-channel'
export {
  activeChildren,
  type CurrentProcess,
  currentProcess,
  type ParentProcess,
  parentProcess,
} from './multiprocessing/own-process'
export {
  Pool,
  type PoolCallOptions,
  type PoolItems,
  type PoolMapOptions,
  type PoolOptions,
} from './multiprocessing/pool'
export { PoolError, type PoolErrorCode, RemoteTraceback, WorkerDiedError } from './multiprocessing/pool-errors'
export type { Progress } from './multiprocessing/pool-job'
export { Process, type ProcessOptions, type Target } from './multiprocessing/process'
export {
  JoinableQueue,
  Queue,
  QueueEmptyError,
  QueueFullError,
  type QueueWait,
  SimpleQueue,
} from './multiprocessing/queue'
export { RLock } from './multiprocessing/rlock'
export { BoundedSemaphore, Semaphore } from './multiprocessing/semaphore'
export { SharedArray } from './multiprocessing/shared-array'
export { getStartMethod, setStartMethod } from './multiprocessing/start-methods'
export type { SynchronizedOptions } from './multiprocessing/synchronized'
export { Value } from './multiprocessing/value'
export type { Patience, WaitOptions } from './multiprocessing/waiting'
