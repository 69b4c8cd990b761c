// The fork server's own program: it imports what is to be warm, then serves.
import { prctl } from '../prctl'
import { ForkService } from './fork-server-service'
import { originIn, prepareCall } from './fork-server-worker'
import { importFrom } from './import-export'
// All that may come as an argument is known here.
import '../multiprocessing'
import './forkserver-job'
import { describeError, type ErrorDescription } from './remote-error'
import { pack } from './transfer'

function dieWithParent(): void {
  try {
    prctl.setPdeathsig('SIGKILL')
  } catch {} // macOS: the server and the owner do it
}

async function preload(modules: readonly string[], directory: string): Promise<ErrorDescription | undefined> {
  try {
    for (const module of modules) await importFrom(module, directory)
    return undefined
  } catch (error) {
    return describeError(error)
  }
}

/** What every worker runs is compiled before it is forked. */
async function rehearse(): Promise<void> {
  const { env, argv } = process
  const nothing = { args: pack([], 'args').data, stdio: [], fdCounts: { stdio: 0, target: undefined } }
  const here = { directory: process.cwd(), cwd: process.cwd(), env: { ...env } as Record<string, string> }
  const [, script] = argv
  await prepareCall({ module: 'node:path', export: 'join', ...here, ...nothing }, [], originIn(0))
  argv[1] = script as string
}

async function main(): Promise<void> {
  dieWithParent()
  const { modules, directory } = JSON.parse(process.argv[2] as string) as { modules: string[]; directory: string }
  process.argv.length = 2
  const preloadError = await preload(modules, directory)
  await rehearse()
  new ForkService(preloadError)
}

if (require.main === module) void main()
