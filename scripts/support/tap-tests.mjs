// The TypeScript tests, by tap.
import { compiledTests } from './files.mjs'
import { capture, root } from './run.mjs'

/** Runs compiled tests and counts their assertions. `folder` is another copy of the package to run them in. */
export function tapTests({ files = compiledTests(), node = process.execPath, folder = root } = {}) {
  const { status, stdout } = capture(process.execPath, ['scripts/support/run-tap.mjs', node, ...files], { cwd: folder })
  report(stdout)
  const { pass = 0, fail = 0, skip = 0, todo = 0 } = counts(stdout)
  // A run that breaks off has no totals, or totals without a failure.
  return { passed: pass, failed: status === 0 ? fail : Math.max(fail, 1), skipped: skip + todo }
}

// A line for each file, before it what failed there or was skipped.
function report(text) {
  let end
  for (const line of text.split('\n')) {
    const [, indent, failed] = /^( *)(not )?ok /.exec(line) ?? []
    if (failed) end = `${indent}  ...`
    if (end !== undefined || indent === '' || / # (SKIP|TODO)/.test(line)) console.log(line)
    if (line === end) end = undefined
  }
}

function counts(text) {
  return JSON.parse(text.match(/^# (\{"total":.*\})$/m)?.[1] ?? '{}')
}
