// Long runs of forks from a busy parent. Start: npm run soak -- --minutes 10
import { parseArgs } from 'node:util'
import { chain } from './chain'
import { kinds } from './kinds'
import { leaks } from './leaks'
import { multiprocessing } from './multiprocessing'
import { numbersOf, soak } from './runner'

const usage = `npm run soak -- [options]
  --minutes N      begin rounds for so long; each has one child of every kind
  --forks N        so many rounds; default 20, without end under --minutes
  --kinds a,b      only these of: ${Object.keys(kinds).join(', ')}
  --workers N      busy Workers of the parent; default 2
  --seed N         decides the order of kinds and the moments of forks; printed otherwise
  --watchdog N     seconds after which a child has hung; default 30
  --chain N        instead: a chain of forks so deep
  --leaks          instead: forks in a row, --forks of them or 10000, and what they leave
  --multiprocessing  instead: Processes and Pool tasks, with workers killed at random
  --processes N    so many Processes for it; default 5000
  --tasks N        so many Pool tasks for it; default 200000
  --kill-every N   milliseconds between kills, on average; default 50`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    forks: { type: 'string' },
    kinds: { type: 'string' },
    workers: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    watchdog: { type: 'string', default: '30' },
    chain: { type: 'string' },
    leaks: { type: 'boolean', default: false },
    multiprocessing: { type: 'boolean', default: false },
    processes: { type: 'string' },
    tasks: { type: 'string' },
    'kill-every': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

function toCount(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const count = Number(text)
  if (!(count >= 0)) throw new RangeError(`not a number: ${text}`)
  return count
}

function toKinds(text: string | undefined): string[] {
  const chosen = text?.split(',') ?? Object.keys(kinds)
  const unknown = chosen.find((name) => kinds[name] === undefined)
  if (unknown !== undefined) throw new RangeError(`no such kind: ${unknown}\n${usage}`)
  return chosen
}

function run(): Promise<boolean> {
  const workers = toCount(values.workers, 2)
  const watchdogMs = toCount(values.watchdog, 30) * 1000
  if (values.chain !== undefined) return chain(toCount(values.chain, 30), workers, watchdogMs)
  if (values.leaks) return leaks(toCount(values.forks, 10_000), workers)
  const minutes = toCount(values.minutes, Number.POSITIVE_INFINITY)
  const seed = toCount(values.seed, 0)
  if (values.multiprocessing) {
    return multiprocessing({
      processes: toCount(values.processes, 5000),
      tasks: toCount(values.tasks, 200_000),
      killEveryMs: toCount(values['kill-every'], 50),
      watchdogMs,
      random: numbersOf(seed),
    })
  }
  console.log(`seed ${seed}, ${workers} Workers, Node ${process.version}`)
  const rounds = toCount(values.forks, values.minutes === undefined ? 20 : Number.POSITIVE_INFINITY)
  return soak({ kinds: toKinds(values.kinds), rounds, limitMs: minutes * 60_000, workers, watchdogMs, seed })
}

if (values.help) {
  console.log(usage)
} else {
  void run().then((sound) => {
    process.exitCode = sound ? 0 : 1
  })
}
