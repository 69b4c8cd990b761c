// The pages of memory that hold something: reading the others would only make them. Quiet code.
#ifndef TRUEFORK_FORK_TOUCHED_PAGES_H_
#define TRUEFORK_FORK_TOUCHED_PAGES_H_

#include "quiet_list.h"

namespace truefork::fork {

struct page_run {
  uint64_t start;
  uint64_t end;
  uint64_t kinds;  // as struct page_region of linux/fs.h has it
};

// Walks over the runs of such pages of a range at a time.
class touched_pages {
 public:
  enum class means { by_scan, by_entries };

  // 0 or a negative error number. What can't be scanned is read entry by entry anyway.
  int open(means chosen = means::by_scan) noexcept;
  void close() const noexcept;

  void begin(uint64_t start, uint64_t end) noexcept;
  // 1 with the next run, 0 at the end of the range, or a negative error number.
  int next(page_run& run) noexcept;

 private:
  int fill() noexcept;
  int scan() noexcept;
  int read() noexcept;

  quiet::list<page_run> runs_;
  quiet::list<uint64_t> entries_;
  size_t current_;  // in runs_
  uint64_t at_;     // as far as runs_ tells
  uint64_t end_;
  int pagemap_;
  bool cannot_scan_;
};

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_TOUCHED_PAGES_H_
