// A worker that only says that it is there.
import { writeSync } from 'node:fs'

export function sayHere([fd]) {
  writeSync(fd, 'here\n')
}
