import t from 'tap'
import { type ElementType, Lock, RLock, SharedArray, Value } from 'truefork/multiprocessing'
import { saidBy } from './support/sharing'

const kinds: [ElementType, string, number | bigint][] = [
  ['b', 'Int8Array', -128],
  ['uint8', 'Uint8Array', 255],
  ['uint8c', 'Uint8ClampedArray', 255],
  ['h', 'Int16Array', -5],
  ['H', 'Uint16Array', 65535],
  ['i', 'Int32Array', -(2 ** 31)],
  [Uint32Array, 'Uint32Array', 2 ** 32 - 1],
  ['l', 'BigInt64Array', -(2n ** 63n)],
  ['Q', 'BigUint64Array', 2n ** 64n - 1n],
  ['float32', 'Float32Array', 0.5],
  ['d', 'Float64Array', 0.1],
]

for (const [type, name, sample] of kinds) {
  t.test(`a Value and a SharedArray of ${typeof type === 'string' ? type : name} hold what ${name} does`, async (t) => {
    const value = new Value(type, sample as never)
    t.equal(value.value, sample)
    t.equal(value.getObj().constructor.name, name)
    t.equal(Number(new Value(type).value), 0)
    const array = new SharedArray(type, [sample, sample])
    t.equal(array.constructor.name, name)
    t.ok(array instanceof SharedArray)
    t.same([array.length, array[0], array[1]], [2, sample, sample])
    const blank = new SharedArray(type, 3)
    t.same([blank.length, Number(blank[0]), Number(blank[2])], [3, 0, 0])
  })
}

t.test('parent and children see what each other writes', async (t) => {
  const lines = await saidBy(`
    const value = new Value('d', 1)
    const array = new SharedArray('i', 1000)
    const pids = []
    for (let index = 0; index < 3; index++) {
      pids.push(await started(async () => {
        for (let i = 0; i < 1000; i++) Atomics.add(array, i, 1)
        await value.getLock().using(() => value.value += 0.5)
      }))
    }
    for (const pid of pids) await ended(pid)
    say(value.value, array.every((item) => item === 3))
    array.fill(7)
    await ended(await started(() => say(array[999], value.getLock() === value.getLock())))
  `)
  t.same(lines, [
    [2.5, true],
    [7, true],
  ])
})

t.test('a large array is shared, and what is made of it is not', async (t) => {
  const lines = await saidBy(`
    const array = new SharedArray(Float64Array, 4_000_000)
    const copies = [array.slice(0, 2), array.map((item) => item), structuredClone(array), Float64Array.from(array)]
    await ended(await started(() => { array[0] = 1; array[3_999_999] = 2; for (const copy of copies) copy[0] = 9 }))
    say(array[0], array[3_999_999], ...copies.map((copy) => copy[0]), copies.some((copy) => copy instanceof SharedArray))
    const part = array.subarray(3_999_999)
    await ended(await started(() => { part[0] = 3 }))
    say(array[3_999_999])
  `)
  t.same(lines, [[1, 2, 0, 0, 0, 0, false], 3])
})

t.test('their lock is an RLock, another one, or none', async (t) => {
  for (const make of [
    (options?: { lock?: Lock | RLock | boolean }) => new Value('i', 0, options),
    (options?: { lock?: Lock | RLock | boolean }) => new SharedArray('i', 1, options),
  ]) {
    t.ok(make().getLock() instanceof RLock)
    t.ok(make({ lock: true }).getLock() instanceof RLock)
    const lock = new Lock()
    t.equal(make({ lock }).getLock(), lock)
    t.throws(() => make({ lock: false }).getLock(), TypeError)
    t.throws(() => make({ lock: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
})

t.test('arguments are checked', async (t) => {
  for (const Kind of [Value, SharedArray] as unknown as (new (
    type: unknown,
    init?: unknown,
  ) => unknown)[]) {
    for (const bad of ['x', '', 'toString', Array, Buffer]) {
      t.throws(() => new Kind(bad, 1), { code: 'ERR_INVALID_ARG_VALUE' })
    }
    for (const bad of [undefined, null, 1, {}]) t.throws(() => new Kind(bad, 1), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const bad of [null, '1', 1n, {}]) t.throws(() => new Value('i', bad as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => new Value('q', 1.5), { code: 'ERR_INVALID_ARG_VALUE' })
  t.equal(new Value('q', 5).value, 5n)
  const value = new Value('i')
  t.throws(
    () => {
      value.value = '1' as never
    },
    { code: 'ERR_INVALID_ARG_TYPE' },
  )
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 60]) {
    t.throws(() => new SharedArray('i', bad), { code: 'ERR_OUT_OF_RANGE' })
  }
  for (const bad of [null, undefined, '1', {}, ['1'], [1, null]]) {
    t.throws(() => new SharedArray('i', bad as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.equal(new SharedArray('i', 0).length, 0)
  t.same([...new SharedArray('i', new Set([3, 4]))], [3, 4])
})
