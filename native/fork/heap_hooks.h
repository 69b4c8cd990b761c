// What V8 maps and unmaps, seen at the calls that Node's binary makes.
#ifndef TRUEFORK_FORK_HEAP_HOOKS_H_
#define TRUEFORK_FORK_HEAP_HOOKS_H_

namespace truefork::fork {

// Leads madvise(2) and munmap(2), as the object that holds V8 imports them, by way of us. Once; 0 or a negative
// error number.
int install_heap_hooks();

bool has_heap_hooks() noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_HEAP_HOOKS_H_
