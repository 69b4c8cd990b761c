import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'

const skip = withoutAllThreads || withoutCompiler
const headers = ['dlfcn.h', 'stdio.h', 'stdlib.h', 'sys/mman.h']
// process.dlopen closes what is no addon, and memory is only looked for while somebody is loaded that may mark it.
const staysLoaded = 'Dl_info self; dladdr((void *)on_load, &self); dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);'

/** JavaScript that maps two megabytes, with advice on them, and tells the address by the environment. */
function mapped(t: Test, flags: string, advice: string): string {
  return onLoad(
    folderOf(t),
    headers,
    `${staysLoaded}
    char *memory = mmap(0, 2 << 20, PROT_READ | PROT_WRITE, ${flags} | MAP_ANONYMOUS, -1, 0);
    char text[32];
    madvise(memory, 2 << 20, ${advice});
    snprintf(text, sizeof text, "%lx", (unsigned long)memory);
    setenv("MAPPED_AT", text, 1);`,
    'static void on_load(void);',
  )
}

t.test('memory that native code keeps from being copied is missing in the child', { skip }, async (t) => {
  const touch = onLoad(folderOf(t), headers, `*(volatile char *)strtoul(getenv("MAPPED_AT"), 0, 16) = 1;`)
  const lines = await hazardLines(`${mapped(t, 'MAP_SHARED', 'MADV_DONTFORK')}
    const { severity, detail } = told('dontfork-mappings')
    say(severity, detail.startsWith('2 MB '), detail.includes(process.env.MAPPED_AT + '-'))
    const pid = fork()
    if (pid === 0) { ${touch} _exit(0) }
    say(ending(pid))
    ${touch} say('here it is')`)
  t.same(lines, [['notice', true, true], ['SIGSEGV'], ['here it is']])
})

t.test("V8's own is none, nor is memory with other advice", { skip }, async (t) => {
  const lines = await hazardLines(`say(told('dontfork-mappings').severity)
    ${mapped(t, 'MAP_SHARED', 'MADV_WILLNEED')}
    say(told('dontfork-mappings').severity, told('dontfork-mappings').severity)`)
  t.same(lines, [['none'], ['none', 'none']])
})

t.test('it never refuses', { skip }, async (t) => {
  const lines = await hazardLines(
    `${mapped(t, 'MAP_SHARED', 'MADV_DONTFORK')} answers('dontfork-mappings').then((all) => say(...all))`,
  )
  t.same(lines, [answersFor('dontfork-mappings', 'notice')])
})
