import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'

const setting = '/proc/sys/vm/nr_hugepages'
const count = () => Number(readFileSync(setting, 'latin1'))
const inMeminfo = (name: string) =>
  Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'latin1'))?.[1])

/** Has the system keep so many huge pages more, free ones; says why it can't, or false. */
function addHugePages(t: Test, more: number): string | false {
  try {
    const before = count()
    t.teardown(() => writeFileSync(setting, `${before}`))
    writeFileSync(setting, `${before + more}`)
  } catch {
    return 'only root can set vm.nr_hugepages'
  }
  return inMeminfo('HugePages_Free') - inMeminfo('HugePages_Rsvd') === more
    ? false
    : 'the system has huge pages of its own, or no memory for more'
}

/** JavaScript that maps so many huge pages and writes to them. */
const mapped = (t: Test, pages: number, sharing: string): string =>
  onLoad(
    folderOf(t),
    ['stdio.h', 'stdlib.h', 'string.h', 'sys/mman.h'],
    `size_t size = ${pages} * ${inMeminfo('Hugepagesize')}UL * 1024;
    char *memory = mmap(0, size, PROT_READ | PROT_WRITE, ${sharing} | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (memory == MAP_FAILED) abort();
    memset(memory, 1, size);
    char text[32];
    snprintf(text, sizeof text, "%lx", (unsigned long)memory);
    setenv("MAPPED_AT", text, 1);`,
  )

const skip = process.platform !== 'linux' ? 'only Linux has hugetlbfs' : withoutAllThreads || withoutCompiler
const pages = 2

t.test('huge pages that can’t be copied kill the child', { skip }, async (t) => {
  const reason = addHugePages(t, pages)
  if (reason !== false) {
    t.pass('not tried', { skip: reason })
    return
  }
  const write = onLoad(folderOf(t), ['stdlib.h'], `*(volatile char *)strtoul(getenv("MAPPED_AT"), 0, 16) = 2;`)
  const lines = await hazardLines(`${mapped(t, pages, 'MAP_PRIVATE')}
    say(told('huge-pages').severity)
    const pid = fork({ accept: ['huge-pages'] })
    if (pid === 0) { ${write} _exit(0) }
    say(ending(pid))
    answers('huge-pages').then((all) => say(...all))`)
  t.same(lines, [['unsafe'], ['SIGBUS'], answersFor('huge-pages', 'unsafe')])
})

t.test('while there are enough they are a notice, and none where they are shared', { skip }, async (t) => {
  const reason = addHugePages(t, 2 * pages)
  if (reason !== false) {
    t.pass('not tried', { skip: reason })
    return
  }
  t.same(await hazardLines(`${mapped(t, pages, 'MAP_PRIVATE')} say(told('huge-pages').severity, answer({}))`), [
    ['notice', 'forks'],
  ])
  t.same(await hazardLines(`${mapped(t, pages, 'MAP_SHARED')} say(told('huge-pages').severity, answer({}))`), [
    ['none', 'forks'],
  ])
})

t.test('a process without any has none of it', { skip }, async (t) => {
  t.same(await hazardLines(`say(told('huge-pages').severity)`), [['none']])
})
