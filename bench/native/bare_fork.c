// What a fork of Node costs at least: libc's fork() with V8's heap made copyable, and nothing done about threads,
// descriptors or locks. Its child can't return to JavaScript, and ends at once.
#define _GNU_SOURCE
#include <node_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct range {
  void* start;
  size_t size;
};

static struct range* ranges;
static size_t count, capacity;

static void add(unsigned long start, unsigned long end) {
  if (count == capacity) {
    capacity = capacity == 0 ? 1024 : capacity * 2;
    ranges = realloc(ranges, capacity * sizeof *ranges);
    if (ranges == NULL) abort();
  }
  ranges[count++] = (struct range){(void*)start, end - start};
}

// The mappings that are MADV_DONTFORK: "dc" in VmFlags, proc_pid_smaps(5).
static int find_ranges(void) {
  FILE* const file = fopen("/proc/self/smaps", "re");
  char* line = NULL;
  size_t size = 0;
  unsigned long start = 0, end = 0;
  if (file == NULL) return -1;
  count = 0;
  while (getline(&line, &size, file) > 0) {
    unsigned long low, high;
    if (sscanf(line, "%lx-%lx %*4s", &low, &high) == 2) {
      start = low;
      end = high;
    } else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dc") != NULL) {
      add(start, end);
    }
  }
  free(line);
  fclose(file);
  return 0;
}

// One that has been unmapped meanwhile by another thread needs nothing, and madvise(2) says ENOMEM.
static void advise(int advice) {
  for (size_t i = 0; i < count; ++i) madvise(ranges[i].start, ranges[i].size, advice);
}

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

// () -> [milliseconds for the whole, of these for madvise]; throws if the fork fails
static napi_value bare_fork(napi_env env, napi_callback_info info) {
  (void)info;
  if (find_ranges() != 0) {
    napi_throw_error(env, NULL, "/proc/self/smaps can't be read");
    return NULL;
  }
  const double start = milliseconds();
  advise(MADV_DOFORK);
  const double copyable = milliseconds();
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  const double forked = milliseconds();
  advise(MADV_DONTFORK);
  const double end = milliseconds();
  if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
    napi_throw_error(env, NULL, "fork failed");
    return NULL;
  }
  const double values[] = {end - start, end - forked + copyable - start};
  napi_value result, value;
  napi_create_array_with_length(env, 2, &result);
  for (uint32_t i = 0; i < 2; ++i) {
    napi_create_double(env, values[i], &value);
    napi_set_element(env, result, i, value);
  }
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "bareFork", NAPI_AUTO_LENGTH, bare_fork, NULL, &function);
  napi_set_named_property(env, exports, "bareFork", function);
  return exports;
}
