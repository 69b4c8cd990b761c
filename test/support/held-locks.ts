// An add-on whose threads hold locks of libc, as a native library's do.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What `locks.hold(kind)` has a thread of its own take, and `locks.take(kind)` waits for in the calling one. */
export const lockKinds = ['mutex', 'recursive', 'shared', 'write', 'read', 'semaphore', 'condition', 'join'] as const

const source = `
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef struct napi_env__* napi_env;
typedef struct napi_value__* napi_value;
typedef struct napi_callback_info__* napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
extern int napi_create_function(napi_env, const char*, size_t, napi_callback, void*, napi_value*);
extern int napi_set_named_property(napi_env, napi_value, const char*, napi_value);
extern int napi_get_cb_info(napi_env, napi_callback_info, size_t*, napi_value*, napi_value*, void**);
extern int napi_get_value_int32(napi_env, napi_value, int32_t*);

enum { mutex, recursive, shared, write_lock, read_lock, semaphore, condition, join };

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t nested, guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t* between;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t signal = PTHREAD_COND_INITIALIZER;
static sem_t count, held;
static pthread_t holder_thread;
static int keeps;

static void take_lock(int kind) {
  switch (kind) {
    case mutex: pthread_mutex_lock(&plain); break;
    case recursive: pthread_mutex_lock(&nested); break;
    case shared: pthread_mutex_lock(between); break;
    case write_lock: pthread_rwlock_wrlock(&rwlock); break;
    case read_lock: pthread_rwlock_rdlock(&rwlock); break;
    default: break;
  }
}

static void* hold_lock(void* kind) {
  take_lock((int)(intptr_t)kind);
  sem_post(&held);
  while (keeps) pause();
  return NULL;
}

static int32_t argument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value value;
  int32_t number = 0;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  napi_get_value_int32(env, value, &number);
  return number;
}

static void start(void* (*body)(void*), void* with) {
  pthread_create(&holder_thread, NULL, body, with);
  pthread_setname_np(holder_thread, "holder");
  sem_wait(&held);
}

/* Has a thread take a lock and keep it. */
static napi_value hold(napi_env env, napi_callback_info info) {
  keeps = 1;
  start(hold_lock, (void*)(intptr_t)argument(env, info));
  return NULL;
}

/* The same, and the thread ends. */
static napi_value abandon(napi_env env, napi_callback_info info) {
  keeps = 0;
  start(hold_lock, (void*)(intptr_t)argument(env, info));
  pthread_join(holder_thread, NULL);
  return NULL;
}

/* Waits for it here. */
static napi_value take(napi_env env, napi_callback_info info) {
  const int kind = argument(env, info);
  switch (kind) {
    case read_lock: pthread_rwlock_wrlock(&rwlock); break;
    case write_lock: pthread_rwlock_rdlock(&rwlock); break;
    case semaphore: sem_wait(&count); break;
    case join: pthread_join(holder_thread, NULL); break;
    case condition:
      pthread_mutex_lock(&guard);
      for (;;) pthread_cond_wait(&signal, &guard);
    default: take_lock(kind);
  }
  return NULL;
}

/* Waits for the mutex, but not for ever. */
static napi_value take_timed(napi_env env, napi_callback_info info) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 600;
  pthread_mutex_timedlock(&plain, &end);
  return NULL;
}

static void* wait_crosswise(void* unused) {
  pthread_mutex_lock(&plain);
  sem_post(&held);
  pthread_mutex_lock(&first);
  return unused;
}

/* Two threads, each waiting for what the other holds. */
static napi_value cross(napi_env env, napi_callback_info info) {
  pthread_mutex_lock(&first);
  start(wait_crosswise, NULL);
  pthread_mutex_lock(&plain);
  return NULL;
}

static void* wait_for_plain(void* unused) {
  sem_post(&held);
  pthread_mutex_lock(&plain);
  return unused;
}

/* A thread that waits for what the calling one holds, which goes on. */
static napi_value keep_waiting(napi_env env, napi_callback_info info) {
  pthread_mutex_lock(&plain);
  start(wait_for_plain, NULL);
  return NULL;
}

static void export(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, strlen(name), callback, NULL, &function);
  napi_set_named_property(env, exports, name, function);
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&nested, &attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_NORMAL);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  between = mmap(NULL, sizeof *between, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutex_init(between, &attributes);
  sem_init(&count, 0, 0);
  sem_init(&held, 0, 0);
  export(env, exports, "hold", hold);
  export(env, exports, "abandon", abandon);
  export(env, exports, "take", take);
  export(env, exports, "takeTimed", take_timed);
  export(env, exports, "cross", cross);
  export(env, exports, "keepWaiting", keep_waiting);
  return exports;
}
`

/** Compiles it. Returns JavaScript that has it as `locks`, with `kinds` for its arguments. */
export function withLocks(directory: string): string {
  const [code, library] = [join(directory, 'locks.c'), join(directory, 'locks.node')]
  writeFileSync(code, source)
  execFileSync('cc', ['-D_GNU_SOURCE', '-shared', '-fPIC', '-pthread', '-o', library, code])
  return `
    const locks = require(${JSON.stringify(library)})
    const kinds = Object.fromEntries(${JSON.stringify(lockKinds)}.map((kind, index) => [kind, index]))
  `
}
