// Work that keeps V8's own threads at work: they mark, sweep and compile beside the thread that asks for it.

/** Makes garbage of `count` arrays, and returns how many elements they had: nothing of it can be left out. */
export function allocate(count: number, length: number): number {
  let kept: { index: number }[][] = []
  let elements = 0
  for (let index = 0; index < count; index++) {
    kept.push(new Array(length).fill({ index }))
    if (kept.length < 20 && index < count - 1) continue
    elements += kept.reduce((sum, array) => sum + array.length, 0)
    kept = []
  }
  return elements
}

const numbers = Array.from({ length: 1000 }, (_, index) => index)

/** Lets V8 compile and optimise a function that it has never seen, and returns twice the sum of 0 to 999. */
export function compile(round: number, calls = 200): number {
  const sum = new Function(
    'numbers',
    `let sum${round} = 0; for (const number of numbers) sum${round} += number * 2; return sum${round}`,
  ) as (numbers: readonly number[]) => number
  let result = 0
  for (let call = 0; call < calls; call++) result = sum(numbers)
  return result
}
