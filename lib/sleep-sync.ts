const word = new Int32Array(new SharedArrayBuffer(4))

/** Blocks this thread for so many milliseconds. */
export function sleepSync(milliseconds: number): void {
  Atomics.wait(word, 0, 0, milliseconds)
}
