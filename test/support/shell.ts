// Shell scripts that tell what a program is given by file actions.
import { closeSync } from 'node:fs'
import type { FileAction } from 'truefork'
import { capture } from './child'

/** Runs a shell script under these actions, and returns its output. `words` are its $1 and so on. */
export function shell(script: string, fileActions: readonly FileAction[], ...words: string[]): string {
  const { stdout, status } = capture(['sh', '-c', script, 'sh', ...words], { fileActions })
  if (status.kind !== 'exited' || status.code !== 0) throw new Error(`sh ended by ${JSON.stringify(status)}: ${stdout}`)
  return stdout
}

/** Prints the descriptors below $1 that the shell has. test(1) is built in, and opens none. */
export const listDescriptors = 'i=0; while [ $i -lt $1 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done; true'

/** Which of the descriptors below `count` a program has under these actions. */
export function descriptorsOfProgram(fileActions: readonly FileAction[] = [], count = 120): number[] {
  return shell(listDescriptors, fileActions, String(count)).split('\n').filter(Boolean).map(Number)
}

/** Closes descriptors at the end of a test, unless it has done so itself. */
export function closing(t: { teardown(undo: () => void): unknown }, ...fds: number[]): void {
  t.teardown(() => {
    for (const fd of fds) {
      try {
        closeSync(fd)
      } catch {} // the test has closed it
    }
  })
}
