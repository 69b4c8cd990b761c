#include "fork/touched_pages.h"

#include <sys/mman.h>

#include <vector>

#include "check.h"

namespace {

using truefork::fork::page_run;
using truefork::fork::touched_pages;

constexpr uint64_t page_size = 4096;
constexpr uint64_t pages = 5000;  // more than either way tells at once

// The touched pages, as numbers from the start of the mapping.
std::vector<uint64_t> touched(char* start, touched_pages::means means) {
  touched_pages walk{};
  EXPECT(walk.open(means) == 0);
  const auto first = reinterpret_cast<uint64_t>(start);
  walk.begin(first, first + pages * page_size);
  std::vector<uint64_t> found;
  page_run run{};
  int outcome = 0;
  while ((outcome = walk.next(run)) == 1) {
    for (uint64_t page = run.start; page < run.end; page += page_size) found.push_back((page - first) / page_size);
  }
  EXPECT(outcome == 0);
  walk.close();
  return found;
}

void both_ways_tell_the_same(char* start) {
  const std::vector<uint64_t> wanted{0, 1, 2, 2047, 2048, 4000, pages - 1};
  for (const uint64_t page : wanted) start[page * page_size] = 'x';
  EXPECT(touched(start, touched_pages::means::by_entries) == wanted);
  EXPECT(touched(start, touched_pages::means::by_scan) == wanted);
  for (uint64_t page = 0; page < pages; page += 2) start[page * page_size] = 'x';  // more runs than fit at once
  EXPECT(touched(start, touched_pages::means::by_scan) == touched(start, touched_pages::means::by_entries));
}

}  // namespace

int main() {
  void* const start =
      mmap(nullptr, pages * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  EXPECT(start != MAP_FAILED);
  EXPECT(madvise(start, pages * page_size, MADV_NOHUGEPAGE) == 0);
  both_ways_tell_the_same(static_cast<char*>(start));
  return test::failures != 0;
}
