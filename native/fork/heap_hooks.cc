#include "heap_hooks.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>

#include "heap.h"
#include "imports.h"

namespace truefork::fork {

namespace {

bool installed = false;

memory_range to_range(void* address, size_t size) noexcept {
  const auto start = reinterpret_cast<uint64_t>(address);
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return {start, (start + size + page - 1) / page * page};
}

int hooked_madvise(void* address, size_t size, int advice) {
  if (advice != MADV_DONTFORK && advice != MADV_DOFORK) return madvise(address, size, advice);
  copied_heap& heap = heap_of_process();
  heap.lock();
  const int result = madvise(address, size, advice);
  const int error = errno;
  if (result == 0) advice == MADV_DONTFORK ? heap.add(to_range(address, size)) : heap.remove(to_range(address, size));
  heap.unlock();
  errno = error;
  return result;
}

int hooked_munmap(void* address, size_t size) {
  copied_heap& heap = heap_of_process();
  heap.lock();
  const int result = munmap(address, size);
  const int error = errno;
  if (result == 0) heap.remove(to_range(address, size));
  heap.unlock();
  errno = error;
  return result;
}

}  // namespace

int install_heap_hooks() {
  if (installed) return 0;
import imports[] = {{"munmap", reinterpret_cast<void*>(hooked_munmap) }, { "madvise", reinterpret_cast<void*>(hooked_madvise) } };
  const int failure = replace_imports(imports, std::size(imports));
  installed = failure == 0;
  return failure;
}

bool has_heap_hooks() noexcept { return installed; }

}  // namespace truefork::fork
