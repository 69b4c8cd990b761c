// Where V8's heap is copied by fork(2) as all else is: V8 marks it on Linux alone.
#include "fork.h"

namespace truefork::fork {

void track_heap() {}

std::vector<left_out_memory> memory_left_out() { return {}; }

int begin_heap_copy() { return 0; }
void end_heap_copy() noexcept {}

}  // namespace truefork::fork
