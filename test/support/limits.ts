// Programs under limits that Node can't set for itself.
import { type Outcome, runNode } from './program'

/** Runs a program whose descriptors all have numbers below `count`. */
export function runWithDescriptors(count: number, program: string): Promise<Outcome> {
  const command = `ulimit -n ${count}; exec "$0" -e "$1"`
  const argv = `['sh', '-c', '${command}', process.execPath, ${JSON.stringify(program)}]`
  return runNode(['-e', `require('truefork').execvp('sh', ${argv})`])
}
