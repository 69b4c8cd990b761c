// Random numbers that parent and child would otherwise both draw: generators are copied with the rest of memory.
import { syncBuiltinESMExports } from 'node:module'
import { types } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { getpid } from '../ids'

const { hrtime } = process

/** What Node's crypto keeps in stock: this many UUIDs, and this many numbers for randomInt. */
const stock = { uuids: 128, integers: 1024 }

let hasRehearsed = false

/** In the parent: a child that were the first to use up a stock would spend milliseconds on compiling what does it. */
export function rehearseRandomStock(): void {
  if (hasRehearsed || !mayHaveRandomStock()) return
  hasRehearsed = true
  useUpRandomStock()
}

/** False: what keeps the stock isn't even loaded. */
export function mayHaveRandomStock(): boolean {
  return mayBeLoaded('internal/crypto/random')
}

/** Of a module of Node's own. */
function mayBeLoaded(module: string): boolean {
  const { moduleLoadList } = process as unknown as { moduleLoadList?: readonly string[] }
  return moduleLoadList?.includes(`NativeModule ${module}`) ?? true
}

/**
 * Uses up this process's stock of cryptographic random numbers, so that the other of the two alone goes on with it.
 * OpenSSL itself notices a fork.
 */
export function useUpRandomStock(): void {
  const { randomInt, randomUUID } = require('node:crypto') as typeof import('node:crypto')
  for (let i = 0; i < stock.uuids; i++) randomUUID()
  for (let i = 0; i < stock.integers; i++) randomInt(2)
}

let seedsNewContexts = false
let watchesNewContexts = false

/**
 * Gives contexts that the child makes from now on a Math.random of their own: V8 would seed them from a generator that
 * the parent has, too, unless a flag says otherwise. The flag is for one context, as all would have the same numbers.
 */
export function mendNewContexts(isChild: boolean): void {
  if (!isChild) return
  seedsNewContexts = true
  if (watchesNewContexts) return
  watchNewContexts()
  syncBuiltinESMExports() // ES modules have got copies of its functions
}

/**
 * In the parent: if nobody has loaded node:vm so far, what is to seed its contexts in children can be put in place before
 * the fork. It does nothing in the parent, and saves each child the loading.
 */
export function prepareNewContexts(): void {
  if (!watchesNewContexts && !mayBeLoaded('vm')) watchNewContexts()
}

function watchNewContexts(): void {
  watchesNewContexts = true
  const vm = require('node:vm') as typeof import('node:vm')
  wrap(vm, 'createContext', (context) => {
    // V8 seeds a context when it first draws there: now, before the flag is gone. A Math of the user's is left alone,
    // and so are the traps of a proxy.
    const seen = context as object
    if (!types.isProxy(seen) && !Object.hasOwn(seen, 'Math')) vm.runInContext('Math.random()', seen)
  })
  wrap(vm, 'runInNewContext')
  wrap(vm.Script.prototype, 'runInNewContext')
}

function wrap<Key extends string>(
  holder: Record<Key, (...args: never[]) => unknown>,
  name: Key,
  whileSeeded: (result: unknown) => void = () => {},
): void {
  const original = holder[name]
  const { length } = original
  const wrapped = function (this: unknown, ...args: never[]) {
    if (!seedsNewContexts) return original.apply(this, args)
    const draw = smallFastCounter()
    setFlagsFromString(`--random-seed=${draw() >>> 1 || 1}`) // 0 would be no seed
    try {
      const result = original.apply(this, args)
      whileSeeded(result)
      return result
    } finally {
      setFlagsFromString('--random-seed=0')
    }
  }
  holder[name] = Object.defineProperties(wrapped, { name: { value: name }, length: { value: length } })
}

/** Whether Math.random is the program's to replace: not under --frozen-intrinsics, for one. */
export function canMendMathRandom(): boolean {
  const { writable, set } = Object.getOwnPropertyDescriptor(Math, 'random') ?? { writable: true }
  return writable ?? set !== undefined
}

/** Gives the child a Math.random of its own: V8 seeds its own one once and offers no other seed. */
export function mendMathRandom(isChild: boolean): void {
  if (!isChild || !canMendMathRandom()) return
  let draw: (() => number) | undefined
  Math.random = function random() {
    // Seeded at the first use: most children never draw.
    draw ??= smallFastCounter()
    return ((draw() >>> 5) * 0x4000000 + (draw() >>> 6)) / 0x20000000000000 // 53 bits
  }
}

/**
 * Chris Doty-Humphrey's sfc32: passes PractRand, as good as V8's generator for what isn't cryptography. It runs in the
 * midst of the program, which may have taken away process.hrtime or the iterator of arrays.
 */
function smallFastCounter(): () => number {
  const time = hrtime()
  let a = getpid()
  let b = time[0]
  let c = time[1]
  let counter = 1
  const draw = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum
  }
  // So many rounds spread the seed over the whole state.
  for (let i = 0; i < 15; i++) draw()
  return draw
}
