import t, { type Test } from 'tap'
import { singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'

const skip = withoutAllThreads || withoutCompiler
const pin = `Dl_info self;
    dladdr((void *)hold, &self);
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE); // process.dlopen closes what is no addon
    pthread_t threads[2];`
const headers = ['dlfcn.h', 'pthread.h', 'unistd.h']

/** JavaScript that has one thread hold a mutex for ever, and another wait for it. */
function contended(t: Test): string {
  return onLoad(
    folderOf(t),
    headers,
    `${pin}
    pthread_create(&threads[0], 0, hold, 0);
    while (!held) usleep(100);
    pthread_create(&threads[1], 0, await, 0);`,
    `static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static volatile int held;
    static void *hold(void *argument) { pthread_mutex_lock(&mutex); held = 1; for (;;) pause(); }
    static void *await(void *argument) { pthread_mutex_lock(&mutex); return 0; }`,
  )
}
const known = `const alone = { threads: 'caller' }; const accept = ['foreign-threads']
  while (told('native-lock-held', alone).severity === 'none');`

t.test('a mutex that one thread waits for is told by who holds it, and whose it is', { skip }, async (t) => {
  const [[{ severity, detail, tid }, holder]] = (await hazardLines(
    `${contended(t)} ${known}
      const found = told('native-lock-held', alone)
      say(found, forkHazards().threads.find(({ tid }) => tid === found.tid).role)`,
    singleThreaded,
  )) as [[{ severity: string; detail: string; tid: number }, string]]
  t.equal(severity, 'unsafe')
  t.equal(holder, 'other')
  t.match(detail, new RegExp(`\\(tid ${tid}\\) holds one of \\S+/on-load\\.so that .* waits for$`))
})

t.test(
  'threads that wait for work hold none, and those that all live on in the child do no harm',
  { skip },
  async (t) => {
    const waiting = onLoad(
      folderOf(t),
      headers,
      `${pin} pthread_create(&threads[0], 0, hold, 0); pthread_create(&threads[1], 0, hold, 0);`,
      `static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
    static void *hold(void *argument) { pthread_mutex_lock(&mutex); for (;;) pthread_cond_wait(&work, &mutex); }`,
    )
    const lines = await hazardLines(
      `${waiting} const { Worker } = require('node:worker_threads')
    fs.stat('/', () => {
      say(told('native-lock-held', { threads: 'caller' }).severity, told('native-lock-held').severity)
    })`,
      singleThreaded,
    )
    t.same(lines, [['none', 'none']])
    t.same(await hazardLines(`${contended(t)} ${known} say(told('native-lock-held').severity, answer({}))`), [
      ['none', 'forks'],
    ])
  },
)

t.test('it refuses unless it is accepted', { skip }, async (t) => {
  const lines = await hazardLines(
    `${contended(t)} ${known}
    const given = [{ accept }, { accept: [...accept, 'native-lock-held'] }, { hazards: 'ignore' }]
    say(...given.map((policy) => answer({ ...alone, ...policy })))`,
    singleThreaded,
  )
  t.same(lines, [answersFor('native-lock-held', 'unsafe').slice(0, 3)])
})
