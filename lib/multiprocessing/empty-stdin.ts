import { closeSync, openSync } from 'node:fs'
import { binding } from '../binding'

/** As Python has it, a child reads nothing there: parent and child would each get a part. */
export function emptyStdin(): void {
  const fd = openSync('/dev/null', 'r')
  if (fd === 0) return
  binding.dup2(fd, 0)
  closeSync(fd)
}
