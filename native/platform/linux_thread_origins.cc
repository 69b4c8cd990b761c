// Linux: what each thread was started for. glibc keeps a thread's start routine as long as the thread lives; where,
// a thread of our own tells.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "../fork/own_proc.h"
#include "loaded_objects.h"
#include "platform.h"

namespace truefork::platform {

namespace {

// This process's memory, of which nobody knows what is mapped: other threads begin and end meanwhile.
class own_memory {
 public:
  own_memory() : fd_(open("/proc/self/mem", O_RDONLY | O_CLOEXEC)) {}
  ~own_memory() {
    if (fd_ >= 0) close(fd_);
  }
  own_memory(const own_memory&) = delete;
  own_memory& operator=(const own_memory&) = delete;

  // How much could be read, from the start.
  size_t read_some(uint64_t address, void* buffer, size_t size) const {
    const ssize_t count = pread(fd_, buffer, size, static_cast<off_t>(address));
    return count < 0 ? 0 : static_cast<size_t>(count);
  }

  template <typename Value>
  bool read(uint64_t address, Value& value) const {
    return read_some(address, &value, sizeof value) == sizeof value;
  }

 private:
  int fd_;
};

// glibc's list_t, in a ring of all threads: the newest comes after its head.
struct list_link {
  uint64_t next;
  uint64_t previous;
};

// The start routine and its argument are neighbours in glibc's struct pthread.
struct start_of_thread {
  uint64_t routine;
  uint64_t argument;
};

// Where a struct pthread has what, in bytes from its start, and the heads of the rings: threads on stacks of glibc's,
// and those on stacks of their own.
struct thread_layout {
  uint64_t link = 0;
  uint64_t start = 0;  // 0: not known
  uint64_t heads[2] = {};
};

uint64_t address_of_own_tid() {
  const int* address = nullptr;  // needs CONFIG_CHECKPOINT_RESTORE; prctl(2)
  if (prctl(PR_GET_TID_ADDRESS, &address) != 0 || address == nullptr || *address != gettid()) return 0;
  return reinterpret_cast<uint64_t>(address);
}

// Calls `visit` with the address of each link of the ring until it returns false. False where the ring is none, or
// changes under our eyes.
template <typename Visit>
bool walk_ring(const own_memory& memory, uint64_t first, Visit visit) {
  constexpr size_t most = 100'000;
  list_link link{};
  if (!memory.read(first, link)) return false;
  uint64_t previous = first;
  for (size_t count = 0; link.next != first; ++count) {
    const uint64_t at = link.next;
    if (count == most || !memory.read(at, link) || link.previous != previous) return false;
    if (!visit(at)) return true;
    previous = at;
  }
  return true;
}

// The one link of a ring that lies in an object's data, and in no thread.
uint64_t find_head(const own_memory& memory, const loaded_objects& objects, uint64_t link) {
  uint64_t head = 0;
  walk_ring(memory, link, [&](uint64_t at) {
    if (objects.find(at) == nullptr) return true;
    head = at;
    return false;
  });
  return head;
}

struct examination {
  const loaded_objects& objects;
  thread_layout found;
};

void* examine_self(void* argument) {
  auto& own = *static_cast<examination*>(argument);
  const own_memory memory;
  const auto self = static_cast<uint64_t>(pthread_self());
  const uint64_t tid = address_of_own_tid();
  if (tid <= self + sizeof(list_link)) return nullptr;  // not as glibc has it
  // The link stands right before the tid; nptl/descr.h, glibc 2.4 to 2.41.
  own.found.link = tid - sizeof(list_link) - self;
  own.found.heads[0] = find_head(memory, own.objects, self + own.found.link);
  uint64_t words[512]{};
  const size_t count = memory.read_some(self, words, sizeof words) / sizeof *words;
  for (size_t i = (tid - self) / sizeof *words; i + 1 < count; ++i) {
    if (words[i] != reinterpret_cast<uint64_t>(examine_self) || words[i + 1] != reinterpret_cast<uint64_t>(argument))
      continue;
    own.found.start = i * sizeof *words;
    break;
  }
  if (own.found.heads[0] == 0) own.found.start = 0;
  return nullptr;
}

thread_layout find_layout(const loaded_objects& objects) {
  examination own{objects, {}};
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const bool started = pthread_create(&thread, nullptr, examine_self, &own) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (started) pthread_join(thread, nullptr);
  return own.found;
}

const thread_layout& known_layout(const own_memory& memory, const loaded_objects& objects) {
  static thread_layout layout = find_layout(objects);
  if (layout.start != 0 && layout.heads[1] == 0 && gettid() == getpid()) {
    layout.heads[1] = find_head(memory, objects, static_cast<uint64_t>(pthread_self()) + layout.link);
  }
  return layout;
}

// An object of a C++ class begins with the address of its class's table, which is data of some file's.
const loaded_object* class_of(const own_memory& memory, const loaded_objects& objects, uint64_t address,
                              uint64_t& table) {
  if (address == 0 || !memory.read(address, table)) return nullptr;
  const loaded_object* const object = objects.find(table);
  return object == nullptr || object->is_code(table) ? nullptr : object;
}

// Whether a class is one that std::thread makes of what it is to run: its type_info, before the table, has the name.
bool is_standard_thread(const own_memory& memory, uint64_t table) {
  uint64_t type = 0;
  uint64_t name = 0;
  char text[10] = {};
  constexpr char expected[] = "NSt6thread";  // std::thread::_State_impl, libstdc++
  return memory.read(table - 8, type) && memory.read(type + 8, name) &&
         memory.read_some(name, text, sizeof text) == sizeof text && memcmp(text, expected, sizeof text) == 0;
}

// The main thread's stack has grown no further than its limit, or 64 MB where there is none.
bool is_on_main_stack(uint64_t address) {
  const auto* const end = static_cast<const uint64_t*>(dlsym(RTLD_DEFAULT, "__libc_stack_end"));
  constexpr uint64_t most = 64 << 20;
  rlimit limit{};
  if (end == nullptr || getrlimit(RLIMIT_STACK, &limit) != 0) return false;
  return address <= *end && *end - address < std::min<uint64_t>(limit.rlim_cur, most);
}

thread_origin describe(const own_memory& memory, const loaded_objects& objects, int64_t tid,
                       const start_of_thread& start) {
  thread_origin origin{tid, start.routine, start.argument, code_owner::unknown, false, false, {}};
  origin.on_stack = is_on_main_stack(start.argument);
  const loaded_object* code = objects.find(start.routine);
  uint64_t table = 0;
  const loaded_object* const class_file = class_of(memory, objects, start.argument, table);
  // std::thread starts all by one function of libstdc++, which Node has in itself and offers to add-ons.
  if (class_file != nullptr && class_file != code && is_standard_thread(memory, table)) code = class_file;
  if (code == nullptr) return origin;
  origin.code = code->owner;
  origin.of_object = class_file != nullptr && class_file->owner == code_owner::runtime;
  if (code->owner == code_owner::other) origin.file = code->path;
  return origin;
}

}  // namespace

std::vector<thread_origin> thread_origins() {
  const fork::own_proc readable;
  const own_memory memory;
  const loaded_objects objects;
  const thread_layout& layout = known_layout(memory, objects);
  std::vector<thread_origin> origins;
  if (layout.start == 0) return origins;
  for (const uint64_t head : layout.heads) {
    const size_t before = origins.size();
    bool whole = head == 0;
    for (int tries = 0; tries < 3 && !whole; ++tries) {
      origins.resize(before);
      whole = walk_ring(memory, head, [&](uint64_t link) {
        int32_t tid = 0;
        start_of_thread start{};
        if (memory.read(link + sizeof(list_link), tid) && memory.read(link - layout.link + layout.start, start) &&
            tid > 0 && start.routine != 0) {
          origins.push_back(describe(memory, objects, tid, start));
        }
        return true;
      });
    }
  }
  return {std::make_move_iterator(origins.rbegin()), std::make_move_iterator(origins.rend())};
}

}  // namespace truefork::platform
