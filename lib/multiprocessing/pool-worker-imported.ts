// A pool's worker that is no copy of the pool's process: it imports the functions that it is to call.
import { importExport } from './import-export'
import type { ExportedFunction } from './launcher'
import { serve, type Task } from './pool-worker-main'
import { type Luggage, registerArrival, transfer } from './transfer'

/** A worker's end of its socket, among a Process's arguments. */
export class SentSocket {
  readonly #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  [transfer](luggage: Luggage): { kind: string; data: unknown } {
    return { kind: 'pool-socket', data: luggage.add(this.#fd) }
  }

  get fd(): number {
    return this.#fd
  }
}

registerArrival('pool-socket', (index: number, unpack) => new SentSocket(unpack(index)))

export interface ImportedDuty {
  socket: SentSocket
  initializer: ExportedFunction | undefined
  initargs: readonly unknown[]
}

/** What such a worker runs. */
export function serveImported({ socket, initializer, initargs }: ImportedDuty): Promise<void> {
  const functions = new Map<number, Task>()
  return serve({
    socket: socket.fd,
    initialize: async () => {
      if (initializer !== undefined) await (await imported(initializer))(...(initargs as never[]))
    },
    functionOf: async (id, exported) => {
      const known = functions.get(id)
      if (known !== undefined) return known
      const fn = await imported(exported as ExportedFunction)
      functions.set(id, fn)
      return fn
    },
  })
}

function imported({ module, export: name, source }: ExportedFunction): Promise<Task> {
  return importExport(module, name, process.cwd(), source) as Promise<Task>
}
