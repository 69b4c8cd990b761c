// The start method 'fork': the child is a copy of this process, and runs its target in that memory.
import { AsyncResource } from 'node:async_hooks'
import { enterChild, runTarget } from './child-main'
import { forkToRun } from './fork-to-run'
import { importExport } from './import-export'
import type { Job, Launcher } from './launcher'

type Callable = (...args: unknown[]) => unknown

export const forkLauncher: Launcher = {
  method: 'fork',
  start({ identity, target, receiver, args, become }: Job) {
    const directory = process.cwd()
    const called = async (): Promise<unknown> => {
      if (typeof target === 'function') return (target as Callable).apply(receiver, [...args])
      return (await importExport(target.module, target.export, directory))(...args)
    }
    // The stores of AsyncLocalStorage are those of here, as all else in memory.
    const run = AsyncResource.bind(called)
    const pid = forkToRun(() => {
      become?.()
      enterChild(identity)
      void runTarget(run)
    })
    return { pid }
  },
}
