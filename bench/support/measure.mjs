// Two ways of doing a thing, side by side: A B A B, so that what else the machine is at meets both alike.
import { cpus, release, totalmem } from 'node:os'
import { setImmediate } from 'node:timers/promises'

/** What the figures hang on. */
export function machineFacts() {
  const [cpu] = cpus()
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0)
  return `${cpus().length} cores (${cpu.model.trim()}), ${gigabytes} GB, Linux ${release()}, Node ${process.version}`
}

/** The value below which this share of the values lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

export const median = (values) => quantile(values, 0.5)

/** Calls both in turn, so many times, and returns what each returned: milliseconds. The first of each isn't counted. */
export async function alternate(rounds, a, b) {
  const times = [[], []]
  for (let round = 0; round <= rounds; round++) {
    for (const [index, call] of [a, b].entries()) {
      await setImmediate() // what came in meanwhile isn't part of it
      const time = await call()
      if (round > 0) times[index].push(time)
    }
  }
  return times
}

/** Milliseconds that a call takes. */
export async function timed(call) {
  const start = performance.now()
  await call()
  return performance.now() - start
}

/** "1.23 (1.10-1.60)": the median, and between which values the middle half lies. */
export function summary(values) {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(values, share).toFixed(2))
  return `${middle} (${low}-${high})`
}

/** One line: what is compared, both summaries, and the ratio of the medians. */
export function compared(what, [nameA, a], [nameB, b]) {
  const ratio = (median(a) / median(b)).toFixed(2)
  return `${what.padEnd(26)} ${nameA} ${summary(a)}  ${nameB} ${summary(b)}  ratio ${ratio}`
}
