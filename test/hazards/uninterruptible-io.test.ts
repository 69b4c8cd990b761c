import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'

const skip = withoutAllThreads || withoutCompiler

/** JavaScript that has a thread wait in vfork(2) until `release()`: no signal that it handles ends that. */
function waiting(t: Test): string {
  const load = onLoad(
    folderOf(t),
    ['dlfcn.h', 'pthread.h', 'signal.h', 'stdio.h', 'stdlib.h', 'sys/prctl.h', 'sys/wait.h', 'unistd.h'],
    `Dl_info self;
    dladdr((void *)waiter, &self);
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE); // process.dlopen closes what is no addon
    pthread_t thread;
    pthread_create(&thread, 0, waiter, 0);
    while (!child) usleep(100);
    char text[16];
    snprintf(text, sizeof text, "%d", child);
    setenv("CHILD", text, 1);`,
    `static volatile int child;
    static void *waiter(void *argument) {
      prctl(PR_SET_NAME, "waiter");
      if (vfork() == 0) {
        child = getpid();
        for (;;) pause();
      }
      waitpid(child, 0, 0);
      for (;;) pause();
    }`,
  )
  return `${load}
    const waiter = () => forkHazards().threads.find(({ name }) => name === 'waiter')
    const release = () => { process.kill(Number(process.env.CHILD), 'SIGKILL'); while (waiter().state === 'D'); }
    while (waiter()?.state !== 'D');`
}

t.test('a thread in such a call is told beforehand: the fork waits for it for a while', { skip }, async (t) => {
  const [[{ severity, detail, tid }]] = (await hazardLines(`${waiting(t)}
    say(told('uninterruptible-io'))
    release()`)) as [[{ severity: string; detail: string; tid: number }]]
  t.equal(severity, 'notice')
  t.match(detail, `"waiter" (tid ${tid})`)
})

t.test('a fork in which it hasn’t ended is refused, whatever is accepted', { skip }, async (t) => {
  const lines = await hazardLines(`${waiting(t)}
    answers('uninterruptible-io').then((all) => { say(...all); release() })`)
  t.same(lines, [answersFor('uninterruptible-io', 'fatal')])
})

t.test('once the call has ended the process forks', { skip }, async (t) => {
  t.same(await hazardLines(`${waiting(t)} release(); say(told('uninterruptible-io').severity, answer({}))`), [
    ['none', 'forks'],
  ])
})
