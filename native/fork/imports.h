// The functions that Node's binary imports from libc, led by way of ours: for what no system call tells afterwards.
#ifndef TRUEFORK_FORK_IMPORTS_H_
#define TRUEFORK_FORK_IMPORTS_H_

#include <cstddef>

namespace truefork::fork {

struct import {
  const char* name;
  void* replacement;
  void** slot = nullptr;  // where the binary keeps the function's address
  bool relro = false;     // and whether that is read-only by now
};

// Replaces all of them, or none. 0, -ENOSYS where the binary doesn't import one, or another negative error number.
int replace_imports(import* imports, size_t count);

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_IMPORTS_H_
