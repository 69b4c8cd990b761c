// What Process, Pool and ForkServer ask of a start method, and what each start method is given.
import type { Life } from './children'
import type { ProcessIdentity } from './current'

/** How a child comes to be. */
export type StartMethod = 'fork' | 'spawn' | 'forkserver'

/** A function by the module that exports it: what a child imports that is no copy of this process. */
export interface ExportedFunction {
  /** An absolute path, or a URL that `import()` takes. */
  module: string
  /** The name of the export. */
  export: string
  /** The function's own text, if it is known: an export of another text is another function. */
  source?: string | undefined
}

/** What a child is to do. */
export interface Job {
  /** What currentProcess() and parentProcess() tell there. */
  identity: ProcessIdentity
  /**
   * What runs there: a fork calls it as it is. With a `receiver` it is that object's method `run`, and where memory
   * isn't copied the receiver's class is imported, and its properties travel as args do.
   */
  target: ((...args: never[]) => unknown) | ExportedFunction
  receiver?: object | undefined
  args: readonly unknown[]
  /** Whether the child ends with this process, however that ends. */
  daemon: boolean
  /** Called in a forked child, before anything else: the objects that were copied learn where they are. */
  become?(): void
  /** Descriptors that the child needs beside those that args bring along; only `spawn` and `forkserver` look. */
  descriptors?: readonly number[] | undefined
}

/** A child that has begun. */
export interface Launched {
  pid: number
  /** Of a child that isn't this process' own: how it is known what becomes of it. */
  life?: Life | undefined
}

/** A start method. */
export interface Launcher {
  readonly method: StartMethod
  /**
   * Starts a child, in the main thread.
   *
   * @throws before anything has happened, if it can't be
   */
  start(job: Job): Launched
}
