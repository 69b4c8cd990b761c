// Compiled, never run: what must compile does, and what must not is marked so.
import { Pool, PoolError, type PoolMapOptions, type Progress, WorkerDiedError } from 'truefork/multiprocessing'

const pool = new Pool(4, { initializer: (name: string) => name, initargs: ['a'], maxtasksperchild: 3 })
pool.map((x: number) => String(x), [1, 2]) satisfies Promise<string[]>
pool.map(async (x: number) => x, new Set([1]), 5) satisfies Promise<number[]>
pool.starmap((a: number, b: string) => a + b.length, [[1, 'a']]) satisfies Promise<number[]>
pool.apply((a: number, b: string) => [a, b] as const, [1, 'a']) satisfies Promise<readonly [number, string]>
pool.apply(() => 1) satisfies Promise<number>
const options: PoolMapOptions = {
  chunksize: 2,
  signal: AbortSignal.timeout(1),
  onProgress: ({ done, total }: Progress) => [done satisfies number, total satisfies number | undefined],
}
async function* items() {
  yield 'a'
}
for await (const length of pool.imap((text: string) => text.length, items(), options)) length satisfies number
for await (const length of pool.imapUnordered((text: string) => text.length, 'abc')) length satisfies number
pool.join() satisfies Promise<void>
// @ts-expect-error the function takes numbers
pool.map((x: number) => x, ['a'])
// @ts-expect-error a function is needed
pool.apply('f')
// @ts-expect-error so many workers are a number
new Pool('4')

declare const error: unknown
if (error instanceof WorkerDiedError) error.signal satisfies NodeJS.Signals | number | null
if (error instanceof PoolError) error.code satisfies 'ERR_POOL_INITIALIZER' | 'ERR_POOL_WORKERS' | 'ERR_POOL_TERMINATED'
