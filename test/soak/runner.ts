// Forks child after child from a busy parent, and keeps the score.
import { forkChild, type Result, type Verdict } from './child'
import { type Kind, kinds } from './kinds'
import { areEven, balanceTable } from './ledger'
import { Load } from './load'
import { percentile, table } from './table'

export interface Plan {
  kinds: readonly string[]
  /** Rounds, each with one child of every kind. */
  rounds: number
  /** No round begins after so long. */
  limitMs: number
  workers: number
  watchdogMs: number
  seed: number
}

const verdicts: readonly Verdict[] = ['ok', 'hung', 'crashed', 'wrong', 'refused']

/** Runs the plan and prints the score. True if all was as it must be. */
export async function soak(plan: Plan): Promise<boolean> {
  const results = new Map<string, Result[]>(plan.kinds.map((name) => [name, []]))
  const random = numbersOf(plan.seed)
  const load = new Load(plan.workers)
  await load.start()
  const start = performance.now()
  for (let round = 0; round < plan.rounds && performance.now() - start < plan.limitMs; round++) {
    for (const name of shuffled(plan.kinds, random)) {
      await someMoment(random)
      const label = `${process.pid}-${name.replaceAll(' ', '-')}-${round}`
      const result = await forkChild(kinds[name] as Kind, load, plan.watchdogMs, label)
      if (result.verdict !== 'ok') console.log(`${label}: ${result.verdict}: ${result.detail}`)
      results.get(name)?.push(result)
    }
  }
  const balances = await load.end()
  console.log(`${scores(results)}\n\n${balanceTable(balances)}`)
  return areEven(balances) && [...results.values()].flat().every(({ verdict }) => verdict === 'ok')
}

function scores(results: ReadonlyMap<string, readonly Result[]>): string {
  const row = (name: string, each: readonly Result[]) => {
    const times = each.map(({ forkMs }) => forkMs).filter((time) => !Number.isNaN(time))
    return [
      name,
      each.length,
      ...verdicts.map((wanted) => each.filter(({ verdict }) => verdict === wanted).length),
      percentile(times, 0.5).toFixed(1),
      percentile(times, 0.99).toFixed(1),
    ]
  }
  return table([
    ['kind', 'forks', ...verdicts, 'p50 ms', 'p99 ms'],
    ...[...results].map(([name, each]) => row(name, each)),
    row('all', [...results.values()].flat()),
  ])
}

// The same numbers for the same seed: a linear congruential generator with the constants of ISO C's rand().
export function numbersOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) / 2 ** 24
  }
}

function shuffled(names: readonly string[], random: () => number): string[] {
  return names
    .map((name) => ({ name, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ name }) => name)
}

// So that a fork is called from timers, immediates and microtasks, whatever the parent's threads are at.
function someMoment(random: () => number): Promise<void> {
  const choice = Math.floor(random() * 6)
  if (choice === 0) return Promise.resolve()
  return new Promise((resolve) => (choice === 1 ? setImmediate(resolve) : setTimeout(resolve, choice)))
}
