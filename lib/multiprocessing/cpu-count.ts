// How many processors there are: multiprocessing.cpu_count.
import { availableParallelism } from 'node:os'

/**
 * The number of processors that this process may use, at least 1; the size of a Pool that isn't told another.
 *
 * Python's cpu_count counts those of the machine. An affinity mask, as `taskset` or a container sets it, is heeded
 * here: more workers than that would wait for each other. Source: sched_getaffinity(2).
 */
export function cpuCount(): number {
  return availableParallelism()
}
