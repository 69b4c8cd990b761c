#include "fork/heap.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "check.h"
#include "platform/platform.h"

namespace {

constexpr size_t size = 1 << 20;

char* mapping(int kind) {
  void* const start = mmap(nullptr, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
  EXPECT(start != MAP_FAILED);
  memset(start, 'x', size);
  return static_cast<char*>(start);
}

// Whether the mapping of this address is marked VM_DONTCOPY; proc_pid_smaps(5).
bool is_uncopied(const void* address) {
  const auto wanted = reinterpret_cast<unsigned long>(address);
  std::ifstream smaps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long start = 0;
    unsigned long end = 0;
    if (sscanf(line.c_str(), "%lx-%lx ", &start, &end) == 2) here = start <= wanted && wanted < end;
    if (here && line.compare(0, 8, "VmFlags:") == 0) return line.find(" dc") != std::string::npos;
  }
  EXPECT(!"the mapping is listed");
  return false;
}

// The child's view of a mapping that begins with 'x': its size is there and whether it may read it.
bool child_reads(const char* start) {
  return test::ending(test::in_child([start] { return start[0] == 'x' && start[size - 1] == 'x' ? 0 : 1; })) == 0;
}

void marked_memory_is_copied_between_begin_and_end(char* heap) {
  EXPECT(madvise(heap, size, MADV_DONTFORK) == 0);
  EXPECT(is_uncopied(heap));
  EXPECT(!child_reads(heap));
  truefork::fork::copied_heap copied{};
  EXPECT(copied.find() == 0 && copied.begin() == 0);
  EXPECT(!is_uncopied(heap));
  EXPECT(child_reads(heap));
  const pid_t pid = test::in_child([heap, &copied] {
    copied.end();
    EXPECT(is_uncopied(heap));
    heap[0] = 'c';  // its own copy
    return 0;
  });
  EXPECT(test::ending(pid) == 0);
  EXPECT(heap[0] == 'x');
  copied.end();
  EXPECT(is_uncopied(heap));
  EXPECT(!child_reads(heap));
}

void memory_that_others_share_keeps_its_mark(char* shared) {
  EXPECT(madvise(shared, size, MADV_DONTFORK) == 0);
  truefork::fork::copied_heap copied{};
  EXPECT(copied.find() == 0 && copied.begin() == 0);
  EXPECT(is_uncopied(shared));
  copied.end();
}

// A write to shared memory is seen by both, to private memory by the writer alone.
void only_shared_memory_is_shared(char* heap) {
  char* const common = mapping(MAP_SHARED);
  truefork::fork::copied_heap copied{};
  EXPECT(copied.find() == 0 && copied.begin() == 0);
  const pid_t pid = test::in_child([=] {
    common[0] = heap[0] = 'c';
    return 0;
  });
  copied.end();
  EXPECT(test::ending(pid) == 0);
  EXPECT(common[0] == 'c');  // fork.basic-13
  EXPECT(heap[0] == 'x');
  munmap(common, size);
}

// What was marked when the heap was looked at may be gone by the time of the fork.
void unmapped_memory_is_no_failure() {
  char* const brief = mapping(MAP_PRIVATE);
  const auto start = reinterpret_cast<uint64_t>(brief);
  EXPECT(madvise(brief, size, MADV_DONTFORK) == 0);
  truefork::fork::copied_heap copied{};
  EXPECT(copied.find() == 0 && copied.begin() == 0);
  const truefork::fork::memory_range* const range = copied.next_range(start);
  EXPECT(range != nullptr && range->start <= start && range->end >= start + size);
  munmap(brief, size);
  copied.end();
  EXPECT(copied.find() == 0 && copied.begin() == 0);
  copied.end();
}

// Whether the ranges of a heap are these, in this order.
bool has_ranges(const truefork::fork::copied_heap& heap, const std::vector<truefork::fork::memory_range>& expected) {
  uint64_t at = 0;
  for (const auto& wanted : expected) {
    const auto* const range = heap.next_range(at);
    if (range == nullptr || range->start != wanted.start || range->end != wanted.end) return false;
    at = range->end;
  }
  return heap.next_range(at) == nullptr;
}

void ranges_stay_sorted_apart_and_whole() {
  truefork::fork::copied_heap heap{};
  EXPECT(has_ranges(heap, {}));
  heap.add({0x5000, 0x6000});
  heap.add({0x1000, 0x2000});
  heap.add({0x8000, 0x9000});
  EXPECT(has_ranges(heap, {{0x1000, 0x2000}, {0x5000, 0x6000}, {0x8000, 0x9000}}));
  heap.add({0x2000, 0x3000});  // touches one
  EXPECT(has_ranges(heap, {{0x1000, 0x3000}, {0x5000, 0x6000}, {0x8000, 0x9000}}));
  heap.add({0x5000, 0x6000});  // is there already
  EXPECT(has_ranges(heap, {{0x1000, 0x3000}, {0x5000, 0x6000}, {0x8000, 0x9000}}));
  heap.add({0x2000, 0x8000});  // joins all
  EXPECT(has_ranges(heap, {{0x1000, 0x9000}}));
  heap.remove({0x4000, 0x5000});  // a hole
  EXPECT(has_ranges(heap, {{0x1000, 0x4000}, {0x5000, 0x9000}}));
  heap.remove({0x3000, 0x6000});  // an end and a beginning
  EXPECT(has_ranges(heap, {{0x1000, 0x3000}, {0x6000, 0x9000}}));
  heap.remove({0x3000, 0x6000});  // nothing is there
  EXPECT(has_ranges(heap, {{0x1000, 0x3000}, {0x6000, 0x9000}}));
  heap.remove({0x6000, 0x9000});  // all of one
  EXPECT(has_ranges(heap, {{0x1000, 0x3000}}));
  heap.remove({0, 0x10000});
  EXPECT(has_ranges(heap, {}));
}

void full_descriptor_table_changes_nothing(char* heap) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit low{32, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  std::vector<int> taken;
  for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = open("/dev/null", O_RDONLY)) taken.push_back(fd);
  EXPECT(errno == EMFILE);
  truefork::fork::copied_heap copied{};
  EXPECT(copied.find() == 0 && copied.begin() == 0);
  EXPECT(child_reads(heap));
  copied.end();
  std::vector<truefork::platform::thread_info> threads;
  // /proc still lists a thread for a moment after it has been joined, as find() may have had one.
  for (int patience = 1000; threads.size() != 1 && patience > 0; --patience) {
    threads.clear();
    EXPECT(truefork::platform::list_threads(threads) == 0);
    usleep(1000);
  }
  EXPECT(threads.size() == 1 && threads[0].tid == getpid());
  EXPECT(fcntl(STDERR_FILENO, F_GETFD) != -1);  // of the copy of the table, not of the table
  EXPECT(open("/dev/null", O_RDONLY) == -1);
  for (const int fd : taken) close(fd);
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT(is_uncopied(heap));
}

}  // namespace

int main() {
  char* const heap = mapping(MAP_PRIVATE);
  marked_memory_is_copied_between_begin_and_end(heap);
  memory_that_others_share_keeps_its_mark(mapping(MAP_SHARED));
  only_shared_memory_is_shared(heap);
  unmapped_memory_is_no_failure();
  ranges_stay_sorted_apart_and_whole();
  full_descriptor_table_changes_nothing(heap);
  return test::failures != 0;
}
