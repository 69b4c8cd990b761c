// A generator of random numbers is memory, and fork copies it: both processes would draw the same "random" session ids,
// file names and delays from then on. fork mends the generators that are Node's. It can't know of one that the program
// made for itself, or of a Math.random that was put aside before. Those are mended by a hook.
import { randomInt, randomUUID } from 'node:crypto'
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { _exit, fork, pipe, registerAtFork, waitpid } from 'truefork'
import { say } from '../support/say'

/** A linear congruential generator, as in C's rand(3). */
class Generator {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  seed(seed: number): void {
    this.#state = seed
  }
  draw(): number {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) >>> 0
    return this.#state
  }
}

const { random } = Math // put aside, as many a library does
const own = new Generator(Date.now())
const hooked = new Generator(Date.now())
registerAtFork({ afterInChild: () => hooked.seed(randomInt(2 ** 32)) })

const draws: Readonly<Record<string, () => unknown>> = {
  'Math.random, put aside before the fork': () => random(),
  'Math.random()': () => Math.random(),
  'crypto.randomUUID()': () => randomUUID(),
  'a generator of the program': () => own.draw(),
  'the same, seeded by afterInChild': () => hooked.draw(),
}

for (const draw of Object.values(draws)) draw()
const [readEnd, writeEnd] = pipe()
const pid = fork()
const drawn = Object.values(draws).map((draw) => String(draw()))
if (pid === 0) {
  writeSync(writeEnd, drawn.join('\n'))
  _exit(0)
}
closeSync(writeEnd) // so that the end of what the child writes is the end of the pipe
const childs = readFileSync(readEnd, 'utf8').split('\n')
waitpid(pid)
for (const [index, name] of Object.keys(draws).entries()) {
  say(`${name}: ${drawn[index] === childs[index] ? 'the same in both' : 'different'}`)
}
