import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { singleThreaded, withoutAllThreads } from '../support/fork'
import { answersFor, folderOf, hazardLines } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'

const skip = withoutAllThreads || withoutCompiler
const alone = `const alone = { threads: 'caller' };`

/** JavaScript that starts a thread of C that sleeps, on a stack of glibc's or of its own. */
function sleeper(t: Test, ownStack = false): string {
  const attributes = ownStack
    ? 'pthread_attr_init(&attributes); pthread_attr_setstack(&attributes, malloc(1 << 20), 1 << 20);'
    : 'pthread_attr_init(&attributes);'
  return onLoad(
    folderOf(t),
    ['dlfcn.h', 'pthread.h', 'stdlib.h', 'sys/prctl.h', 'unistd.h'],
    `Dl_info self;
    dladdr((void *)sleeper, &self);
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE); // process.dlopen closes what is no addon
    pthread_attr_t attributes;
    pthread_t thread;
    ${attributes}
    pthread_create(&thread, &attributes, sleeper, 0);`,
    `static void *sleeper(void *argument) { prctl(PR_SET_NAME, "sleeper"); for (;;) pause(); }`,
  )
}

t.test('a thread of native code is told by its name and the file that it is from', { skip }, async (t) => {
  for (const ownStack of [false, true]) {
    const [[{ severity, detail, tid }, name]] = (await hazardLines(`${sleeper(t, ownStack)}
      while (told('foreign-threads').severity === 'none' || !told('foreign-threads').detail.includes('sleeper'));
      const found = told('foreign-threads')
      say(found, fs.readFileSync('/proc/self/task/' + found.tid + '/comm', 'utf8'))`)) as [
      [{ severity: string; detail: string; tid: number }, string],
    ]
    t.equal(severity, 'notice')
    t.match(detail, `"sleeper" (tid ${tid}) of `)
    t.match(detail, /\/on-load\.so$/)
    t.equal(name, 'sleeper\n')
  }
})

t.test('so is one of std::thread, which starts them by a function of its own', { skip }, async (t) => {
  const [source, library] = ['thread.cc', 'libthread.so'].map((name) => join(folderOf(t), name)) as [string, string]
  writeFileSync(
    source,
    `#include <chrono>
    #include <thread>
    static struct start {
      start() { (new std::thread([] { std::this_thread::sleep_for(std::chrono::hours(1)); }))->detach(); }
    } now;`,
  )
  const missing = (() => {
    try {
      execFileSync('c++', ['-shared', '-fPIC', '-pthread', '-Wl,-z,nodelete', '-o', library, source], { stdio: 'pipe' })
      return false
    } catch {
      return true
    }
  })()
  if (missing) {
    t.pass('not tried', { skip: 'no C++ compiler (c++) here' })
    return
  }
  const lines = await hazardLines(`
    try { process.dlopen({ exports: {} }, ${JSON.stringify(library)}) } catch {}
    const { severity, detail } = told('foreign-threads')
    say(severity, detail.endsWith(${JSON.stringify(library)}))`)
  t.same(lines, [['notice', true]])
})

t.test("Node's own threads are none: V8's, libuv's, Workers, the inspector's, the signals'", { skip }, async (t) => {
  const lines = await hazardLines(`
    require('node:inspector').open(0)
    const { Worker } = require('node:worker_threads')
    fs.stat('/', () => {
      const worker = new Worker('setInterval(() => {}, 1000)', { eval: true, name: 'V8Worker' }).on('online', () => {
        const { safe, threads } = forkHazards()
        say(told('foreign-threads').severity, safe, threads.map(({ role }) => role).sort().join())
        process.exit()
      })
    })`)
  const roles =
    'inspector,libuv-pool,libuv-pool,libuv-pool,libuv-pool,main,signal,v8-worker,v8-worker,v8-worker,v8-worker,v8-worker,worker'
  t.same(lines, [['none', true, roles]])
})

t.test('under all threads it never refuses', { skip }, async (t) => {
  const lines = await hazardLines(`${sleeper(t)} answers('foreign-threads').then((all) => say(...all))`)
  t.same(lines, [answersFor('foreign-threads', 'notice')])
})

t.test("under 'caller' it refuses: nobody in the child does what such a thread is asked for", { skip }, async (t) => {
  const lines = await hazardLines(
    `${alone} ${sleeper(t)} answers('foreign-threads', alone).then((all) => say(...all))`,
    singleThreaded,
  )
  t.same(lines, [answersFor('foreign-threads', 'unsafe')])
})
