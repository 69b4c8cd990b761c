// Standard output, written at once: _exit flushes nothing, so a child must not leave its words in a buffer.
import { writeSync } from 'node:fs'

/** Writes a line in one piece, so that lines of several processes don't mix. */
export function say(line: string): void {
  writeSync(1, `${line}\n`)
}

/** Writes without ending the line. */
export function prompt(text: string): void {
  writeSync(1, text)
}
