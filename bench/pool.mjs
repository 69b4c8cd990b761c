// Is Pool.map ahead of Python's? The same small function on the same numbers in chunks of the same size, by as many workers.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Pool } from 'truefork/multiprocessing'
import { alternate, compared, machineFacts, timed } from './support/measure.mjs'

const [count = 10_000, rounds = 20] = process.argv.slice(2).map(Number)
const processes = 2
const items = Array.from({ length: count }, (_, index) => index)
const expected = items.reduce((sum, item) => sum + small(item), 0)

function small(x) {
  return (x * x + 7) % 1000
}

/** Python's pool, which maps once for each line that it reads, and writes the milliseconds that it took. */
async function startPython() {
  const script = fileURLToPath(new URL('support/pool.py', import.meta.url))
  const python = spawn('python3', [script, String(processes), String(count)], { stdio: ['pipe', 'pipe', 'inherit'] })
  python.on('error', () => {})
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
  const { value: version } = await lines.next()
  const map = async (chunksize) => {
    python.stdin.write(`${chunksize ?? 0}\n`)
    const [time, sum] = (await lines.next()).value.split(' ').map(Number)
    if (sum !== expected) throw new Error(`Python's sum is ${sum}`)
    return time
  }
  const end = async () => {
    python.stdin.end()
    await once(python, 'close')
  }
  return { version, map, end }
}

async function mapHere(pool, chunksize) {
  let results
  const time = await timed(async () => {
    results = await pool.map(small, items, chunksize)
  })
  if (results.reduce((sum, item) => sum + item, 0) !== expected) throw new Error('a wrong sum')
  return time
}

const python = await startPython()
const pool = new Pool(processes)
console.log(`pool: milliseconds for map of ${count} items; median (middle half)\n${machineFacts()}, ${python.version}`)
for (const chunksize of [1, 10, 100, undefined]) {
  const [ours, pythons] = await alternate(
    rounds,
    () => mapHere(pool, chunksize),
    () => python.map(chunksize),
  )
  console.log(compared(`chunksize ${chunksize ?? 'default'}`, ['Pool', ours], ["Python's", pythons]))
}
pool.close()
await pool.join()
await python.end()
