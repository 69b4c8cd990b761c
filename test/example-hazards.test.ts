// Every page of the hazard lab: what it breaks, and what it mends.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { withoutAllThreads } from './support/fork'
import { root, runNode } from './support/program'

const folder = join(root, 'examples', 'hazards')

const checks: Readonly<Record<string, (t: Test, lines: string[]) => void>> = {
  '01-held-lock'(t, lines) {
    t.match(lines[0], /^the child doesn't end: .*Atomics\.wait/)
    t.same(lines.slice(1), [
      'the watchdog ended it: {"kind":"signaled","signal":"SIGKILL","core":false}',
      'with a lock of processes: PosixError: EDEADLK: resource deadlock avoided, acquire',
    ])
  },

  '02-doubled-random'(t, lines) {
    t.same(lines, [
      'Math.random, put aside before the fork: the same in both',
      'Math.random(): different',
      'crypto.randomUUID(): different',
      'a generator of the program: the same in both',
      'the same, seeded by afterInChild: different',
    ])
  },

  '03-doubled-writes'(t, lines) {
    t.same(lines, [
      'accepted: of 20 lines written before the fork there are 40',
      'drained: of 20 lines written before the fork there are 20',
    ])
  },

  '04-stolen-events'(t, lines) {
    t.same(lines, [
      'a watcher started too early: forkHazards tells of it',
      'both together heard of 20',
      "a watcher started in time: forkHazards doesn't tell of it",
      'the parent heard of 20, the child of 20',
    ])
  },

  '05-shared-offset'(t, lines) {
    t.same(lines, [
      'read: the child reads abcd',
      'read: the parent reads efgh',
      'pread: the child reads abcd',
      'pread: the parent reads abcd',
      'opened again: the child reads abcd',
      'opened again: the parent reads abcd',
    ])
  },

  '06-doubled-output'(t, lines) {
    t.same(lines, [
      'in the buffer at the fork',
      'in the buffer at the fork',
      'flushed before the fork',
      'not flushed by the child',
    ])
  },

  '07-fork-in-a-worker'(t, lines) {
    t.match(lines[0], /^Worker: not-main-thread \(fatal\)\. \S/)
    t.same(lines.slice(1), ['Worker: my child ended with 7'])
  },
}

for (const [name, check] of Object.entries(checks)) {
  t.test(`${name} shows what it is about`, { skip: withoutAllThreads }, async (t) => {
    const { code, signal, stdout, stderr } = await runNode([join('out', 'examples', 'hazards', `${name}.js`)])
    t.same({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    check(t, stdout.trimEnd().split('\n'))
  })
}

t.test('every page has its check, its comment, and its line in the index', (t) => {
  const index = readFileSync(join(folder, 'README.md'), 'utf8')
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'))
  t.same(
    files.sort().map((file) => basename(file, '.ts')),
    Object.keys(checks),
  )
  for (const file of files) {
    t.match(readFileSync(join(folder, file), 'utf8'), /^\/\/ \S/, file)
    t.ok(index.includes(`](${file})`), `the index has ${file}`)
  }
  t.end()
})
