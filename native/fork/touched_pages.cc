#include "touched_pages.h"

#include <fcntl.h>
#include <linux/ioctl.h>

namespace truefork::fork {

namespace {

using quiet::call;
using quiet::page_size;
using quiet::system_call;

// PAGEMAP_SCAN, Linux 6.7: passes over terabytes that hold nothing in no time. By hand, as older headers lack it;
// Documentation/admin-guide/mm/pagemap.rst.
struct scan_request {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;  // the kernel's answer: how far it came
  uint64_t runs;
  uint64_t most_runs;
  uint64_t most_pages;
  uint64_t inverted;
  uint64_t all_of;
  uint64_t any_of;
  uint64_t told;
};
constexpr unsigned long pagemap_scan = _IOWR('f', 16, scan_request);
constexpr uint64_t is_present = 1 << 3;
constexpr uint64_t is_swapped = 1 << 4;

}  // namespace

int touched_pages::open(means chosen) noexcept {
  if (chosen == means::by_entries) cannot_scan_ = true;
  const long file = call(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  pagemap_ = static_cast<int>(file);
  return file < 0 ? pagemap_ : 0;
}

void touched_pages::close() const noexcept { system_call(SYS_close, pagemap_); }

void touched_pages::begin(uint64_t start, uint64_t end) noexcept {
  at_ = start;
  end_ = end;
  current_ = runs_.count = 0;
}

int touched_pages::next(page_run& run) noexcept {
  while (current_ == runs_.count) {
    if (at_ >= end_) return 0;
    const int failure = fill();
    if (failure != 0) return failure;
  }
  run = runs_.items[current_++];
  return 1;
}

int touched_pages::fill() noexcept {
  current_ = runs_.count = 0;
  if (!cannot_scan_) {
    const int failure = scan();
    // ENOTTY before Linux 6.7, and others where a sandbox answers in the kernel's place.
    if (failure == 0 || failure == -ENOMEM) return failure;
    cannot_scan_ = true;
  }
  return read();
}

int touched_pages::scan() noexcept {
  constexpr size_t runs_at_once = 1024;
  int failure = runs_.reserve(runs_at_once);
  if (failure != 0) return failure;
  scan_request request{};
  request.size = sizeof(request);
  request.start = at_;
  request.end = end_;
  request.runs = reinterpret_cast<uint64_t>(runs_.items);
  request.most_runs = runs_at_once;
  request.any_of = request.told = is_present | is_swapped;
  const long count = call(SYS_ioctl, pagemap_, pagemap_scan, &request);
  if (count < 0) return static_cast<int>(count);
  if (request.walk_end <= at_) return -EIO;
  runs_.count = static_cast<size_t>(count);
  at_ = request.walk_end;
  return 0;
}

// Entry by entry: proc_pid_pagemap(5).
int touched_pages::read() noexcept {
  constexpr size_t pages_at_once = 2048;
  constexpr uint64_t present_or_swapped = uint64_t{3} << 62;
  const int failure = entries_.reserve(pages_at_once);
  if (failure != 0) return failure;
  const size_t left = (end_ - at_) / page_size;
  const size_t wanted = left < pages_at_once ? left : pages_at_once;
  const long size = call(SYS_pread64, pagemap_, entries_.items, wanted * 8, at_ / page_size * 8);
  if (size <= 0) return size == 0 ? -EIO : static_cast<int>(size);
  for (size_t i = 0; i < static_cast<size_t>(size) / 8; ++i, at_ += page_size) {
    if ((entries_.items[i] & present_or_swapped) == 0) continue;
    const int full = runs_.add({at_, at_ + page_size, 0});
    if (full != 0) return full;
  }
  return 0;
}

}  // namespace truefork::fork
