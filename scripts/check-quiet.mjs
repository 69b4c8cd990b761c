// Reads in the object files what quiet code refers to: nothing but quiet code, and what compilers call by themselves.
// The rule and its reason: native/fork/quiet.h.
import { basename, extname } from 'node:path'
import { changed, listedSources } from './support/files.mjs'
import { capture } from './support/run.mjs'

// Only these run while other threads stand still. What one of them calls must be in one of them, too.
const quiet = [
  'debugger_twins',
  'descriptors',
  'event_files',
  'fork',
  'heap',
  'owners',
  'pipes',
  'record',
  'rings',
  'socketpairs',
  'threads',
  'threads_x86_64',
  'touched_pages',
]
// GCC and Clang make calls of these even out of assignments; libc's need no lock, and no stack to speak of.
const allowed = new Set(['memcpy', 'memmove', 'memset', '_GLOBAL_OFFSET_TABLE_'])

const objects = listedSources(process.platform)
  .filter((path) => path.startsWith('native/fork/') && quiet.includes(basename(path, extname(path))))
  .map((path) => `build/Release/obj.target/truefork/${path.replace(/\.\w+$/, '.o')}`)
const missing = objects.filter((path) => changed(path) === 0)
if (objects.length === 0 || missing.length > 0) {
  console.error(objects.length === 0 ? 'this platform has no quiet code' : `not built: ${missing.join(', ')}`)
  process.exit(1)
}

/** The symbols of an object file: those it defines for others, or those it wants from them. */
function symbols(object, which) {
  const { status, stdout } = capture('nm', [which, '--extern-only', '--format=posix', object])
  if (status !== 0) process.exit(status ?? 1)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' ')[0])
}

const own = new Set(objects.flatMap((object) => symbols(object, '--defined-only')))
let checked = 0
let failed = 0
for (const object of objects) {
  for (const symbol of symbols(object, '--undefined-only')) {
    ++checked
    if (own.has(symbol) || allowed.has(symbol)) continue
    ++failed
    const name = capture('c++filt', [symbol]).stdout.trim()
    console.error(`${basename(object)} refers to ${name}, which isn't in a file that is listed as quiet`)
  }
}
console.log(`${checked} references of ${objects.length} quiet object files: ${failed} to code that isn't quiet`)
process.exitCode = failed === 0 ? 0 : 1
