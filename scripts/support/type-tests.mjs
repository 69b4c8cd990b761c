// The tests of the types: what must compile does, and what must not is marked @ts-expect-error.
import { filesBelow } from './files.mjs'
import { status, tool } from './run.mjs'

/** Compiles them, without output, and counts the files. */
export function typeTests() {
  const files = filesBelow('test/types', ['.ts', '.mts', '.cts'])
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 }
  const failure = status(process.execPath, [tool('typescript/bin/tsc'), '--project', 'test/types', '--noEmit'])
  return failure === 0
    ? { passed: files.length, failed: 0, skipped: 0 }
    : { passed: 0, failed: files.length, skipped: 0 }
}
