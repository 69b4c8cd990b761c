#include "descriptor_table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace truefork::posix {

namespace {

// Event files and the like answer lseek(2) with a 0 that means nothing.
bool has_offset(mode_t mode) noexcept { return S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode) || S_ISCHR(mode); }

bool describe(descriptor& row) {
  const int fd = row.name.fd;
  struct stat status {};
  row.descriptor_flags = ::fcntl(fd, F_GETFD);
  row.flags = ::fcntl(fd, F_GETFL);
  if (row.descriptor_flags < 0 || fstat(fd, &status) != 0) return false;
  row.mode = status.st_mode;
  row.offset = has_offset(row.mode) ? lseek(fd, 0, SEEK_CUR) : -1;
  row.terminal = S_ISCHR(row.mode) && isatty(fd) == 1;
  row.is_socket = S_ISSOCK(row.mode) && read_socket_state(fd, row.socket);
  return true;
}

}  // namespace

int read_descriptor_table(std::vector<descriptor>& table) {
  std::vector<platform::named_descriptor> names;
  const int failure = platform::name_descriptors(names);
  if (failure != 0) return failure;
  for (const platform::named_descriptor& name : names) {
    descriptor row{name, 0, 0, 0, -1, false, false, {}};
    if (describe(row)) table.push_back(row);
  }
  return 0;
}

}  // namespace truefork::posix
