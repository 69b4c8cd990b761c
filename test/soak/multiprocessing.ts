// Processes and Pool tasks by the thousand, some of them killed: every result comes once or its error is told, nothing
// hangs, and nothing is left.
import { readdirSync, readFileSync } from 'node:fs'
import { compareFdTables, fdTable, kill } from 'truefork'
import {
  activeChildren,
  getContext,
  Pipe,
  Pool,
  Process,
  Queue,
  type StartMethod,
  WorkerDiedError,
} from 'truefork/multiprocessing'
import { table } from './table'

export interface MultiprocessingPlan {
  processes: number
  tasks: number
  /** Milliseconds between one kill and the next, on average. */
  killEveryMs: number
  /** Without any result for so long it hangs. */
  watchdogMs: number
  random: () => number
}

const methods: readonly StartMethod[] = ['fork', 'spawn', 'forkserver']

interface Score {
  what: string
  begun: number
  right: number
  /** Its process was killed, and that was told. */
  died: number
  /** Wrong, doubled, or told by another error. */
  wrong: number
}

/** Runs the plan and prints the score. True if all was as it must be. */
export async function multiprocessing(plan: MultiprocessingPlan): Promise<boolean> {
  await processes({ ...plan, processes: 20 }) // what Node opens once for itself
  await tasks({ ...plan, tasks: 200 }, 4)
  for (const method of methods) await queued({ ...plan, tasks: 200 }, method)
  const before = await holdings()
  const descriptors = fdTable()
  const start = performance.now()
  const scores = [await processes(plan), await tasks(plan, 4)]
  for (const method of methods) scores.push(await queued(plan, method))
  const elapsed = performance.now() - start
  const after = await holdings()
  const rows = scores.map(({ what, begun, right, died, wrong }) => [what, begun, right, died, wrong])
  console.log(table([[`${(elapsed / 1000).toFixed(1)} s`, 'begun', 'right', 'died', 'wrong'], ...rows]))
  const names = Object.keys(before)
  console.log(
    `\n${table([['held', 'before', 'after'], ...names.map((name) => [name, before[name] ?? 0, after[name] ?? 0])])}`,
  )
  console.log(compareFdTables(descriptors, fdTable()).text)
  const isSound = scores.every(({ begun, right, died, wrong }) => wrong === 0 && right + died === begun && right > 0)
  return isSound && names.every((name) => after[name] === before[name])
}

/** Kills one of these processes now and then, until what is returned is called; that tells how many. */
function beginKilling({ killEveryMs, random }: MultiprocessingPlan, pids: () => readonly number[]): () => number {
  let killed = 0
  let timer: NodeJS.Timeout | undefined
  const next = () => {
    timer = setTimeout(
      () => {
        const all = pids()
        const pid = all[Math.floor(random() * all.length)]
        if (pid !== undefined && isOwnChild(pid)) {
          kill(pid, 'SIGKILL')
          killed++
        }
        next()
      },
      random() * 2 * killEveryMs,
    )
    timer.unref()
  }
  next()
  return () => {
    clearTimeout(timer)
    return killed
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

const isOwnChild = (pid: number) => childrenOf(process.pid).includes(pid)

/** Several at a time, each with an answer by a pipe of its own. */
async function processes(plan: MultiprocessingPlan): Promise<Score> {
  const score: Score = { what: 'Processes', begun: plan.processes, right: 0, died: 0, wrong: 0 }
  const alive = new Set<number>()
  const stop = beginKilling(plan, () => [...alive])
  let next = 0
  const lane = async () => {
    while (next < plan.processes) {
      const index = next++
      const [mine, theirs] = Pipe(false)
      const child = new Process({ target: () => theirs.send(index * 2), name: `soaked ${index}` })
      child.start()
      theirs.close()
      const pid = child.pid as number
      alive.add(pid)
      const answer = mine.recv().catch((error: { code: string }) => error.code)
      await inTime(child.join(), plan.watchdogMs, `${child.name} (${pid})`)
      alive.delete(pid)
      const told = await answer
      mine.close()
      if (told === index * 2 && (child.exitCode === 0 || child.exitCode === -9)) score.right++
      else if (told === 'EOF' && child.exitCode === -9) score.died++
      else note(score, `${child.name}: told ${String(told)}, ended by ${child.exitCode}`)
      child.close()
    }
  }
  await Promise.all([lane(), lane(), lane()])
  stop()
  return score
}

/** By imap, so that each task's result or error is told by itself. */
async function tasks(plan: MultiprocessingPlan, workers: number): Promise<Score> {
  const score: Score = { what: 'Pool tasks', begun: plan.tasks, right: 0, died: 0, wrong: 0 }
  const pool = new Pool(workers, { maxtasksperchild: 5000 })
  const stop = beginKilling(plan, () => activeChildren().map(({ pid }) => pid as number)) // and not the fork server
  const double = (index: number) => index * 2
  const results = pool.imap(double, numbers(plan.tasks))
  for (let index = 0; ; index++) {
    try {
      const { done, value } = await inTime(results.next(), plan.watchdogMs, `task ${index}`)
      if (done === true) {
        if (index !== plan.tasks) note(score, `${index} results`)
        break
      }
      if (value === index * 2) score.right++
      else note(score, `task ${index}: ${String(value)}`)
    } catch (error) {
      if (error instanceof WorkerDiedError) score.died++
      else note(score, `task ${index}: ${String(error)}`)
    }
  }
  stop()
  pool.close()
  await inTime(pool.join(), plan.watchdogMs, 'join')
  return score
}

function* numbers(count: number): Generator<number> {
  for (let index = 0; index < count; index++) yield index
}

/** Exported, as what spawn and the fork server start is no copy of this. */
export async function consume(work: Queue, done: Queue): Promise<void> {
  for (let item = await work.get(); item !== null; item = await work.get()) await done.put(item)
}

export async function produce(work: Queue, first: number, count: number): Promise<void> {
  for (let item = first; item < count; item += 2) await work.put(item)
}

/** From producers by a queue to consumers, and back by another; one consumer is killed. It may take one item along. */
async function queued({ tasks: all, watchdogMs }: MultiprocessingPlan, method: StartMethod): Promise<Score> {
  const count = Math.ceil(all / 20)
  const score: Score = { what: `Queue items, ${method}`, begun: count, right: 0, died: 0, wrong: 0 }
  const work = new Queue(100)
  const done = new Queue()
  const { Process } = getContext(method)
  const consumers = [0, 1, 2].map(() => new Process({ target: consume, args: [work, done] }))
  const producers = [0, 1].map((first) => new Process({ target: produce, args: [work, first, count] }))
  for (const each of [...consumers, ...producers]) each.start()
  const seen = new Set<unknown>()
  const take = async (limit: number) => {
    while (seen.size < limit) {
      const item = await done.get({ timeoutMs: watchdogMs })
      if (seen.has(item)) note(score, `item ${String(item)} came twice`)
      seen.add(item)
    }
  }
  await take(Math.floor(count / 3))
  consumers[0]?.kill()
  await take(count - 1)
  for (const each of producers) await inTime(each.join(), watchdogMs, 'a producer')
  for (const _ of consumers) await work.put(null)
  for (const each of consumers) await inTime(each.join(), watchdogMs, 'a consumer')
  while (!done.empty()) seen.add(done.getNowait())
  work.close()
  done.close()
  score.right = seen.size
  score.died = count - seen.size
  return score
}

function note(score: Score, text: string): void {
  score.wrong++
  console.log(`${score.what}: ${text}`)
}

async function inTime<Result>(promise: Promise<Result>, limitMs: number, what: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs`)), limitMs)
  })
  try {
    return await Promise.race([promise, hung])
  } finally {
    clearTimeout(timer)
  }
}

/** What a pool or a process could leave. */
async function holdings(): Promise<Record<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, 200))
  const mappings = readFileSync('/proc/self/maps', 'utf8').split('\n')
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    children: childrenOf(process.pid).length,
    'shared mappings': mappings.filter((line) => /^\S+ ...s /.test(line)).length,
    threads: readdirSync('/proc/self/task').length,
  }
}
