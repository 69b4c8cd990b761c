// Pool.map: a function for every item of a list, done by a few children at a time. The results come back in the list's
// order, whoever was done first; and what the function throws for one of them comes back as well.
import { Pool } from 'truefork/multiprocessing'
import { say } from './support/say'

export function square(number: number): { pid: number; result: number } {
  if (number < 0) throw new RangeError(`${number} is too small`)
  return { pid: process.pid, result: number * number }
}

async function main(): Promise<void> {
  const pool = new Pool(3)
  const answers = await pool.map(square, [1, 2, 3, 4, 5, 6, 7, 8, 9], 1)
  say(`squares: ${answers.map(({ result }) => result).join(' ')}`)
  say(`by this process: ${answers.some(({ pid }) => pid === process.pid)}`)
  say(`by at most 3 others: ${new Set(answers.map(({ pid }) => pid)).size <= 3}`)
  await pool.map(square, [1, -1]).catch(({ name, message }: Error) => say(`${name}: ${message}`))
  pool.close()
  await pool.join()
}

if (require.main === module) void main()
