import { capture } from './child'
import { cleanEnv, root } from './program'

/** Runs a call in a Node that may start no process, and returns the code of its error. */
export function withoutChildProcesses(call: string): string {
  const source = `try { ${call} } catch ({ code }) { console.log(code) }`
  const name = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  const argv = [name, '--allow-fs-read=*', '--no-warnings', '-e', source]
  // Not by child_process: the test runner would have the program load what is forbidden there.
  return capture([process.execPath, ...argv], { env: cleanEnv(), fileActions: [{ action: 'chdir', path: root }] })
    .stdout
}
