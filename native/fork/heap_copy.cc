// Finding V8's heap and making it copyable: the part of heap.h that is no quiet code.
#include <vector>

#include "../platform/platform.h"
#include "fork.h"
#include "heap.h"
#include "heap_hooks.h"
#include "imports.h"
#include "own_proc.h"

namespace truefork::fork {

copied_heap& heap_of_process() noexcept {
  static copied_heap only{};
  return only;
}

int copied_heap::find() {
  // Without hooks (a Node whose imports can't be reached) the ranges are only true for the moment.
  if (complete_ && has_heap_hooks()) return 0;
  const own_proc readable;
  std::vector<platform::memory_range> found;
  lock();
  const int failure = platform::uncopied_memory(found);
  if (failure == 0) {
    ranges_.count = 0;
    complete_ = true;
    for (const platform::memory_range& range : found) {
      const auto start = reinterpret_cast<uint64_t>(range.start);
      add({start, start + range.size});
    }
  }
  unlock();
  return failure;
}

// Where that fails, /proc tells at each fork.
void track_heap() { install_heap_hooks(); }

std::vector<left_out_memory> memory_left_out() {
  // Reading smaps takes longer than all else that is looked for, and in most processes nobody but V8 marks anything.
  std::vector<platform::named_range> marked;
  std::vector<left_out_memory> found;
  if (!others_import("madvise")) return found;
  const own_proc readable;
  copied_heap& heap = heap_of_process();
  if (heap.find() != 0 || platform::all_uncopied_memory(marked) != 0) return found;
  heap.lock();
  for (const auto& [start, end, name] : marked) {
    const memory_range* const copied = heap.next_range(start);
    if (copied == nullptr || copied->start > start || copied->end < end) found.push_back({start, end, name});
  }
  heap.unlock();
  return found;
}

int begin_heap_copy() {
  const int failure = heap_of_process().find();
  return failure != 0 ? failure : heap_of_process().begin();
}

void end_heap_copy() noexcept { heap_of_process().end(); }

}  // namespace truefork::fork
