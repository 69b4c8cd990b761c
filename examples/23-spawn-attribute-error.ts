// Why a spawned child can't find its target: it imports the module, and a function that is made only where the module is
// the program isn't there. Python calls it an AttributeError, and so do we. A fork copies memory, and needs no import.
import { getContext } from 'truefork/multiprocessing'
import { say } from './support/say'

export function exported(): void {
  say('the child has found its target')
}

async function main(): Promise<void> {
  let local: (() => void) | undefined
  if (require.main === module) {
    local = function local(): void {
      say('the child has a copy of its target')
    }
  }
  for (const [method, target] of [
    ['spawn', local],
    ['spawn', exported],
    ['fork', local],
  ] as const) {
    const { Process } = getContext(method)
    const child = new Process({ target: target as () => void })
    child.start()
    await child.join()
    say(`${method} ${target?.name}: exit code ${child.exitCode}`)
  }
}

if (require.main === module) void main()
