// Where no process can read another's memory without rights of its own, so that a record would serve nobody: macOS.
#include "record.h"

namespace truefork::fork {

void prepare_record() noexcept {}
void begin_record(pid_t /*parent*/, kept_threads /*kept*/) noexcept {}
void note_thread(pid_t /*tid*/, pid_t /*tid_here*/, const char* /*name*/) noexcept {}
void end_record() noexcept {}

}  // namespace truefork::fork
