import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'

const skip = withoutAllThreads || withoutCompiler

/** JavaScript that starts a thread which blocks these signals by a raw system call, and waits until it has. */
function blocking(t: Test, mask: string): string {
  return onLoad(
    folderOf(t),
    ['dlfcn.h', 'pthread.h', 'stdint.h', 'sys/prctl.h', 'sys/syscall.h', 'unistd.h'],
    `Dl_info self;
    dladdr((void *)stubborn, &self);
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE); // process.dlopen closes what is no addon
    pthread_t thread;
    pthread_create(&thread, 0, stubborn, 0);
    while (!blocks) usleep(100);`,
    `static volatile int blocks;
    static void *stubborn(void *argument) {
      uint64_t mask = ${mask};
      prctl(PR_SET_NAME, "stubborn");
      syscall(SYS_rt_sigprocmask, 2, &mask, 0, sizeof mask);
      blocks = 1;
      for (;;) pause();
    }`,
  )
}

t.test('a thread that no signal stops is told before the fork', { skip }, async (t) => {
  const [[{ severity, detail, tid }, safe]] = (await hazardLines(`${blocking(t, '~0ULL')}
    say(told('unstoppable-thread'), forkHazards().safe)`)) as [
    [{ severity: string; detail: string; tid: number }, boolean],
  ]
  t.equal(severity, 'fatal')
  t.match(detail, `"stubborn" (tid ${tid})`)
  t.equal(safe, false)
})

t.test('one that blocks all other signals is none', { skip }, async (t) => {
  const lines = await hazardLines(`${blocking(t, '~0ULL & ~(1ULL << 31)')}
    say(told('unstoppable-thread').severity, answer({}))`)
  t.same(lines, [['none', 'forks']])
})

t.test('nothing makes the fork go on without it', { skip }, async (t) => {
  const lines = await hazardLines(`${blocking(t, '~0ULL')} answers('unstoppable-thread').then((all) => say(...all))`)
  t.same(lines, [answersFor('unstoppable-thread', 'fatal')])
})
