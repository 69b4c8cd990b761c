// Programs with a terminal of their own: script(1) of util-linux makes one.
import { spawnSync } from 'node:child_process'
import { type Outcome, runNode } from './program'

/** Why tests that need a terminal can't run, or false. */
export const withoutTerminal =
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true
    ? false
    : 'no script(1) of util-linux here'

/** Runs a program as the leader of a session on a new terminal. Its output comes with \n for line ends. */
export async function runInTerminal(program: string, args: readonly string[] = []): Promise<Outcome> {
  // The program is an argument of the shell's, so that nothing has to be quoted for script's own.
  const argv = JSON.stringify(['script', '-qefc', 'exec "$NODE" -e "$PROGRAM" -- $WORDS', '/dev/null'])
  const outcome = await runNode(['-e', `require('truefork').execvp('script', ${argv})`], {
    env: { NODE: process.execPath, PROGRAM: program, WORDS: args.join(' ') },
  })
  return { ...outcome, stdout: outcome.stdout.replaceAll('\r\n', '\n') }
}
