// The functions that Node's binary imports from libc, led by way of ours: for what no system call tells afterwards.
#ifndef TRUEFORK_FORK_IMPORTS_H_
#define TRUEFORK_FORK_IMPORTS_H_

#include <cstddef>

namespace truefork::fork {

// Where the binary keeps a function's address.
struct import_slot {
  void** address;
  bool relro;  // whether that is read-only by now
};

struct import {
  const char* name;
  void* replacement;
  // For calls, for addresses taken in code, and for each table of data such as SQLite's of system calls.
  import_slot slots[8] = {};
  size_t count = 0;
};

// Replaces all of them, or none. 0, -ENOSYS where the binary doesn't import one, or another negative error number.
int replace_imports(import* imports, size_t count);

// Whether anything loaded but Node, the C library and this addon imports a function.
bool others_import(const char* function);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_IMPORTS_H_
