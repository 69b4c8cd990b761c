// umask(2).
import { binding } from './binding'
import { toInt32 } from './validate'

/**
 * Sets which permissions new files don't get, for the whole process, from a Worker as well, where process.umask()
 * refuses.
 *
 * @param mask the bits to leave out; only those of 0o777 count (int32)
 * @returns the previous mask
 * Source: umask(2), POSIX. To ask without setting it: process.umask().
 */
export function umask(mask: number): number {
  return binding.umask(toInt32(mask, 'mask'))
}
