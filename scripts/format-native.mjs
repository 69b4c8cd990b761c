// clang-format over the native code: says what differs, or with --write puts it right.
import { filesBelow } from './support/files.mjs'
import { run, tool } from './support/run.mjs'

const files = ['native', 'test/native'].flatMap((folder) => filesBelow(folder, ['.cc', '.h']))
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '--Werror']
run(process.execPath, [tool('clang-format/index.js'), '--style=file', ...mode, ...files])
