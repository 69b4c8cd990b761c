// Linux: memory that fork(2) leaves out, or may find no room for.
#include <dirent.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../fork/own_proc.h"
#include "platform.h"
#include "spare_descriptor.h"

namespace truefork::platform {

namespace {

// A mapping that has VM_DONTCOPY: "dc" in VmFlags, which only smaps tells; proc_pid_smaps(5).
struct uncopied_mapping {
  named_range range;
  bool plain;  // anonymous, private, and no device's (io, pf), which is DONTFORK for a reason of its driver's
};

// Calls `visit` with each line of smaps about a mapping, and with the mapping.
template <typename Visit>
int read_smaps_lines(Visit visit) {
  FILE* const smaps = fopen("/proc/self/smaps", "re");
  if (smaps == nullptr) return -errno;
  char* line = nullptr;
  size_t capacity = 0;
  uncopied_mapping current{};
  bool is_private = false;
  while (getline(&line, &capacity, smaps) > 0) {
    unsigned long start = 0;
    unsigned long end = 0;
    unsigned long inode = 0;
    int name = 0;
    char permissions[5] = {};
    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %n", &start, &end, permissions, &inode, &name) == 4) {
      is_private = permissions[3] == 'p';
      current = {{start, end, std::string(line + name, strcspn(line + name, "\n"))}, inode == 0 && is_private};
    } else {
      visit(line, current, is_private);
    }
  }
  free(line);
  fclose(smaps);
  return 0;
}

template <typename Visit>
int read_smaps(Visit visit) {
  return read_smaps_lines([&visit](const char* line, uncopied_mapping mapping, bool /*is_private*/) {
    if (strncmp(line, "VmFlags:", 8) != 0 || strstr(line, " dc") == nullptr) return;
    mapping.plain = mapping.plain && strstr(line, " io") == nullptr && strstr(line, " pf") == nullptr;
    visit(mapping);
  });
}

// What "Private_Hugetlb" tells is of how many processes a page is mapped by, and not whether a write copies it.
uint64_t copied_huge_kilobytes() {
  uint64_t sum = 0;
  read_smaps_lines([&sum](const char* line, const uncopied_mapping& /*mapping*/, bool is_private) {
    unsigned long kilobytes = 0;
    if (is_private && (sscanf(line, "Private_Hugetlb: %lu", &kilobytes) == 1 ||
                       sscanf(line, "Shared_Hugetlb: %lu", &kilobytes) == 1)) {
      sum += kilobytes;
    }
  });
  return sum;
}

// Even where no descriptor is left. `visit` may then begin anew: `restart` is called before.
template <typename Restart, typename Visit>
int read_smaps_in_any_case(Restart restart, Visit visit) {
  const int failure = read_smaps(visit);
  if (failure != -EMFILE) return failure;
  restart();
  return with_spare_descriptor([&visit] { return read_smaps(visit); });
}

// The number after a name at the start of a line; 0 where the file or the name isn't there.
uint64_t number_in(const std::string& path, const char* name) {
  FILE* const file = fopen(path.c_str(), "re");
  if (file == nullptr) return 0;
  char* line = nullptr;
  size_t capacity = 0;
  uint64_t number = 0;
  while (getline(&line, &capacity, file) > 0) {
    if (strncmp(line, name, strlen(name)) == 0) number = strtoull(line + strlen(name), nullptr, 10);
  }
  free(line);
  fclose(file);
  return number;
}

// Of all sizes. A page that is reserved is for the process that has reserved it.
uint64_t free_huge_kilobytes() {
  const std::string folder = "/sys/kernel/mm/hugepages";
  DIR* const sizes = opendir(folder.c_str());
  if (sizes == nullptr) return 0;
  uint64_t sum = 0;
  while (const dirent* entry = readdir(sizes)) {
    unsigned long kilobytes = 0;
    if (sscanf(entry->d_name, "hugepages-%lukB", &kilobytes) != 1) continue;
    const std::string size = folder + '/' + entry->d_name;
    const uint64_t free_pages = number_in(size + "/free_hugepages", "");
    const uint64_t reserved = number_in(size + "/resv_hugepages", "");
    if (free_pages > reserved) sum += kilobytes * (free_pages - reserved);
  }
  closedir(sizes);
  return sum;
}

}  // namespace

int uncopied_memory(std::vector<memory_range>& ranges) {
  return read_smaps_in_any_case([&ranges] { ranges.clear(); },
                                [&ranges](const uncopied_mapping& mapping) {
                                  const auto& [start, end, name] = mapping.range;
                                  if (mapping.plain) ranges.push_back({reinterpret_cast<void*>(start), end - start});
                                });
}

int all_uncopied_memory(std::vector<named_range>& ranges) {
  return read_smaps_in_any_case([&ranges] { ranges.clear(); },
                                [&ranges](const uncopied_mapping& mapping) { ranges.push_back(mapping.range); });
}

huge_page_use huge_pages() {
  // Most processes have none, and status is quick to tell.
  const fork::own_proc readable;
  if (number_in("/proc/self/status", "HugetlbPages:") == 0) return {};
  const uint64_t own = copied_huge_kilobytes();
  return {own, own == 0 ? 0 : free_huge_kilobytes()};
}

}  // namespace truefork::platform
