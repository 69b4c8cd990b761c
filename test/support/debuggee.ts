// A program that is debugged while it runs: it and its children in a process group of their own.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import { Debugger } from './debugger'
import type { ProgramOptions } from './program'
import { cleanEnv, descendants, root } from './program'
import { stacksOf } from './stacks'

// `go()` forks, and returns the pid. `say()` writes a line at once. The parent and each child live on by themselves.
const prelude = `
  const { fork, kill, waitpid, describeStatus, _exit } = require('truefork')
  const inspector = require('node:inspector')
  const say = (...words) => require('node:fs').writeSync(1, words.join(' ') + '\\n')
  const options = {}
  Object.assign(globalThis, { waitpid })
  globalThis.go = () => {
    const pid = fork(options)
    if (pid === 0) child()
    return pid
  }
  let child = () => {}
  setInterval(() => {}, 1000)
`

export class Debuggee {
  readonly pid: number
  readonly #process: ChildProcess
  readonly #stdout: Words
  readonly #stderr: Words

  /** Runs a CommonJS program until the test's end. If it hangs, the test fails with the stacks of all its processes. */
  static start(t: Test, source: string, { nodeOptions = [], env, timeoutMs = 20_000 }: ProgramOptions = {}): Debuggee {
    const debuggee = new Debuggee([...nodeOptions, '-e', `${prelude}${source}\nsay('ready')`], {
      ...cleanEnv(),
      ...env,
    })
    const watchdog = setTimeout(() => {
      t.fail(`hung for ${timeoutMs} ms\n${descendants(debuggee.pid).map((pid) => stacksOf(pid, 10_000))}`)
      debuggee.kill()
    }, timeoutMs)
    t.teardown(() => {
      clearTimeout(watchdog)
      debuggee.kill()
    })
    return debuggee
  }

  private constructor(argv: readonly string[], env: Record<string, string | undefined>) {
    const started = spawn(process.execPath, argv, { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.pid = started.pid as number
    this.#process = started
    this.#stdout = new Words(started.stdout)
    this.#stderr = new Words(started.stderr)
  }

  /** What the program, or a child of its, writes by `say`: the first line that hasn't been asked for yet. */
  line(): Promise<string> {
    return this.#stdout.next(/^(?!ready\n)(.*)\n/m)
  }

  /** Resolves once the program has come to its end, and its event loop goes on. */
  async ready(): Promise<void> {
    await this.#stdout.next(/^ready\n/m)
  }

  /** Where the next inspector listens, as Node tells on stderr. */
  url(): Promise<string> {
    return this.#stderr.next(/^Debugger listening on (ws:.*)\n/m)
  }

  /** What is left of stderr. */
  unread(): string {
    return this.#stderr.text
  }

  async attach(): Promise<Debugger> {
    return Debugger.connect(await this.url())
  }

  /** Ends it alone, not its children. */
  async killAlone(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGKILL')
    await ended
  }

  kill(): void {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {} // all have ended
  }
}

/** A stream's text, from which one piece after the other is taken. */
class Words {
  text = ''
  #ended = false
  #wake = (): void => {}

  constructor(stream: Readable) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      this.text += text
      this.#wake()
    })
    stream.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  async next(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.text)
      if (found !== null) {
        this.text = this.text.slice(0, found.index) + this.text.slice(found.index + found[0].length)
        return found[1] ?? ''
      }
      if (this.#ended) throw new Error(`it ended without ${pattern}:\n${this.text}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
