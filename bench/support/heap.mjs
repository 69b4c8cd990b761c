// A heap of a given size, of small objects: what lives there is made of pages of 256 KB, as in most programs.
const kept = []

/** Fills the heap up to so many megabytes and lets it come to rest. */
export async function fillHeap(megabytes) {
  while (process.memoryUsage().heapUsed < megabytes * 1e6) {
    kept.push(Array.from({ length: 10_000 }, (_, index) => ({ index })))
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
}
