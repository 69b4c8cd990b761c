// What the parent is at while it forks, and whether each of its events comes exactly once.
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync, stat, write } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { root } from '../support/program'
import { allocate, compile } from './busy'
import { type Balance, Ledger, type NamedBalance } from './ledger'

/** Where failures leave what is known of them. */
export const folder = join(root, 'out', 'soak')

export class Load {
  readonly workers: readonly Worker[]
  readonly #answers = new Ledger()
  readonly #requests = new Ledger()
  readonly #writes = new Ledger()
  readonly #timers = new Ledger()
  readonly #waiting = new Map<number, (answer: number) => void>()
  readonly #file: number
  #early = 0
  #beat: NodeJS.Timeout | undefined

  constructor(workers: number) {
    mkdirSync(folder, { recursive: true })
    const path = join(folder, `${process.pid}-writes`)
    this.#file = openSync(path, 'a+')
    rmSync(path) // nothing is left however this ends
    this.workers = Array.from({ length: workers }, (_, index) => {
      const worker = new Worker(join(__dirname, 'worker.js'), { workerData: index })
      return worker.on('message', ([id, answer]: [number, number]) => this.#answered(id, answer))
    })
  }

  /** Resolves when every Worker has answered once. */
  async start(): Promise<void> {
    await this.askAll()
    let round = 0
    this.#beat = setInterval(() => {
      for (const index of this.workers.keys()) void this.ask(index)
      this.#useThreadPool()
      this.#startTimer(round % 20)
      allocate(4, 5000)
      if (round % 10 === 0) compile(round)
      round++
    }, 2)
  }

  /** A Worker's answer to a number of its own. */
  ask(index: number): Promise<number> {
    const id = this.#answers.begin()
    this.workers[index]?.postMessage(id)
    return new Promise((resolve) => this.#waiting.set(id, (answer) => resolve(answer - id * 2)))
  }

  /** The answers of all Workers: each tells its own index. */
  askAll(): Promise<number[]> {
    return Promise.all(this.workers.map((_, index) => this.ask(index)))
  }

  /** Begins nothing more. */
  stop(): void {
    clearInterval(this.#beat)
  }

  /** Lets the Workers rest, too; they still answer. */
  rest(): void {
    this.stop()
    for (const worker of this.workers) worker.postMessage('rest')
  }

  /** Ends the load, and tells what came of it. What isn't there within the limit is lost. */
  async end(limitMs = 20_000): Promise<NamedBalance[]> {
    this.rest()
    const deadline = performance.now() + limitMs
    const ledgers = [this.#answers, this.#requests, this.#writes, this.#timers]
    while (ledgers.some(({ isSettled }) => !isSettled) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await Promise.all(this.workers.map((worker) => worker.terminate()))
    const balances = [
      { name: "Workers' answers", balance: this.#answers.balance },
      { name: "the pool's stat", balance: this.#requests.balance },
      { name: "the pool's write", balance: this.#writes.balance },
      { name: 'lines in the file', balance: this.#linesWritten() },
      { name: 'timers', balance: this.#timers.balance },
      { name: 'timers not early', balance: { ...this.#timers.balance, lost: 0, doubled: this.#early } },
    ]
    closeSync(this.#file)
    return balances
  }

  #answered(id: number, answer: number): void {
    this.#answers.end(id)
    this.#waiting.get(id)?.(answer)
    this.#waiting.delete(id)
  }

  #useThreadPool(): void {
    const request = this.#requests.begin()
    stat(__filename, () => this.#requests.end(request))
    // Also in the file, where what a child did twice would be seen.
    const line = this.#writes.begin()
    write(this.#file, `${line}\n`, () => this.#writes.end(line))
  }

  #startTimer(delay: number): void {
    const timer = this.#timers.begin()
    const start = performance.now()
    setTimeout(() => {
      this.#timers.end(timer)
      if (performance.now() - start < delay - 1) this.#early++ // libuv counts in whole milliseconds
    }, delay)
  }

  #linesWritten(): Balance {
    const text = Buffer.alloc(fstatSync(this.#file).size)
    if (text.length > 0) readSync(this.#file, text, 0, text.length, 0)
    const lines = text.toString().split('\n').filter(Boolean)
    const { begun } = this.#writes.balance
    const distinct = new Set(lines).size
    return { begun, lost: begun - distinct, doubled: lines.length - distinct }
  }
}
