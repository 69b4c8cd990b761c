// clang-tidy over the native code of this platform. Needs cmake and clang-tidy (Debian: clang-tidy-14).
import { listedSources } from './support/files.mjs'
import { run, status } from './support/run.mjs'

const found = ['clang-tidy-14', 'clang-tidy'].find(
  (name) => status('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }) === 0,
)
if (found === undefined) {
  console.error('check:tidy needs clang-tidy: apt-get install clang-tidy-14')
  process.exit(1)
}
const build = 'out/tidy'
run('cmake', ['-S', '.', '-B', build, '--log-level=WARNING'], { stdio: ['ignore', 'ignore', 'inherit'] })
const sources = listedSources(process.platform).filter((path) => path.endsWith('.cc'))
run('xargs', ['-P', '2', '-n', '4', found, '-p', build, '--quiet', '--warnings-as-errors=*'], {
  input: sources.join('\n'),
  stdio: ['pipe', 'inherit', 'inherit'],
})
