// What differs between the kernels and their C libraries: the whole contract. linux.cc and darwin.cc
// fulfil it; what one of them lacks is an explicit -ENOSYS.
#ifndef TRUEFORK_PLATFORM_PLATFORM_H_
#define TRUEFORK_PLATFORM_PLATFORM_H_

#include <spawn.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace truefork::platform {

// The environment of this process, as execv(3) would pass it on.
char** environment() noexcept;

// The kernel's id of the calling thread.
int64_t gettid() noexcept;

int prlimit(pid_t pid, int resource, const rlimit* wanted, rlimit* previous) noexcept;
int set_parent_death_signal(int signal) noexcept;
int set_child_subreaper(bool on) noexcept;

// A new pseudo-terminal's two ends, FD_CLOEXEC and nobody's controlling terminal, and its path.
int open_pty_master() noexcept;
int open_pty_slave(int master, const char* name) noexcept;
int ptsname(int master, char* name, size_t size) noexcept;

// An event loop's descriptor watches the file that `fd` names, not the name. Before another file gets the name: stops
// watching, and tells whether it did. Afterwards: watches the new one for input.
bool unwatch(int loop_fd, int fd) noexcept;
void watch_input(int loop_fd, int fd) noexcept;

int pipe2(int descriptors[2], int flags) noexcept;
int dup3(int fd, int new_fd, int flags) noexcept;

// True where fcntl's `command` takes an int or nothing; the others take pointers that we don't hand on.
bool fcntl_takes_int(int command) noexcept;

int execvpe(const char* file, char* const argv[], char* const envp[]) noexcept;
int fexecve(int fd, char* const argv[], char* const envp[]) noexcept;

// An option for wait4 and waitid that leaves children of other threads alone, or 0 where there is none.
extern const int wait_own_thread;

// A name of this platform's headers. The list ends with a null name.
struct constant {
  const char* name;
  int value;
};
// What only this platform has.
extern const constant own_constants[];

// Fills `pids` with the calling thread's children. False where the system doesn't tell.
bool children_of_thread(std::vector<pid_t>& pids);

// ru_maxrss in kilobytes, whatever unit the kernel counts in.
int64_t max_rss_kilobytes(const rusage& usage) noexcept;

// --- posix_spawn beyond POSIX: each returns 0 or a negative error number -------------------------------

// Undoes FD_CLOEXEC of `fd` in the child; runs before the caller's own actions.
int add_inherit(posix_spawn_file_actions_t* actions, int fd) noexcept;
int add_chdir(posix_spawn_file_actions_t* actions, const char* path) noexcept;
int add_fchdir(posix_spawn_file_actions_t* actions, int fd) noexcept;
int add_closefrom(posix_spawn_file_actions_t* actions, int fd) noexcept;
int add_tcsetpgrp(posix_spawn_file_actions_t* actions, int fd) noexcept;
// macOS's posix_spawn_file_actions_addinherit_np, as the caller asked for it.
int add_inherit_np(posix_spawn_file_actions_t* actions, int fd) noexcept;

int set_scheduler(posix_spawnattr_t* attributes, bool has_policy, int policy, int priority, short* flags) noexcept;
int set_setsid(short* flags) noexcept;
int set_cgroup(posix_spawnattr_t* attributes, int fd, short* flags) noexcept;
int set_cloexec_default(short* flags) noexcept;
int set_start_suspended(short* flags) noexcept;
int set_setexec(short* flags) noexcept;

// --- memory that fork(2) leaves out ----------------------------------------------------------------

struct memory_range {
  void* start;
  size_t size;
};

// Fills `ranges` with this process's anonymous private memory that is marked not to be copied. 0 or -errno.
int uncopied_memory(std::vector<memory_range>& ranges);

struct named_range {
  uint64_t start;
  uint64_t end;
  std::string name;  // a path, or empty
};

// The same of everything: files, devices, and what is shared.
int all_uncopied_memory(std::vector<named_range>& ranges);

// Pages of hugetlbfs that a copy of this process would need anew, one by one as it or this process writes to them.
struct huge_page_use {
  uint64_t own_kilobytes;   // 0 as well where it can't be told
  uint64_t free_kilobytes;  // that the system has left
};
huge_page_use huge_pages();

// --- threads -----------------------------------------------------------------------------------------

struct thread_info {
  int64_t tid;
  char name[64];
  char state;  // as proc_pid_status(5) has it: R S D T t Z X; '?' where it can't be told
};

size_t count_threads() noexcept;

// Every thread of this process, the main one first, and, if asked for, the signals that each has blocked: bit 0 for
// signal 1, none where that can't be told. 0 or -errno.
int list_threads(std::vector<thread_info>& threads, std::vector<uint64_t>* blocked = nullptr);

// A thread of the kernel's own that is listed with a process's, as io_uring has them: no signal reaches it.
bool is_kernel_worker(int64_t tid);

// Whose code something is: of Node, with libuv and this addon; of the C library; of anybody else.
enum class code_owner { unknown, runtime, c_library, other };

// What a thread was started for.
struct thread_origin {
  int64_t tid;
  uint64_t start;     // its start routine
  uint64_t argument;  // and what that was called with
  code_owner code;
  bool on_stack;     // whether that is on the main thread's stack
  bool of_object;    // whether that is an object of a class of Node's
  std::string file;  // of code that is neither Node's nor the C library's
};

// The oldest first, without the main thread. None where the C library's way of keeping them isn't known.
std::vector<thread_origin> thread_origins();

// A thread that waits for a mutex of the C library's which another thread of this process holds.
struct lock_wait {
  int64_t waiter;
  int64_t owner;
  uint64_t address;
  std::string file;  // the file whose data the mutex is; empty: it has been allocated
};
std::vector<lock_wait> lock_waits(const std::vector<int64_t>& tids);

// --- other processes ---------------------------------------------------------------------------------

// System calls by name. The list ends with a null name; it is empty where no process tells what it is in.
extern const constant system_calls[];

// Where a thread's own descriptor in the C library has its tid, in bytes from the start; -1 where that isn't known.
int64_t tid_offset() noexcept;

struct probe {
  const char* name;
  int failure;  // 0 or a negative error number
};

// Tries what the rest of this package can make use of, and leaves nothing behind.
void try_calls(std::vector<probe>& probes);

// --- descriptors -------------------------------------------------------------------------------------

// close_range(2). 0 or -errno.
int close_range(unsigned first, unsigned last, int flags) noexcept;

// The numbers of the calling thread's open descriptors, in order, a full table's too. 0 or -errno.
int list_descriptors(std::vector<int>& fds);

// True for what an event loop waits by, or is woken by.
bool wakes_event_loop(int fd);

struct named_descriptor {
  int fd;
  std::string target;  // a path, or "pipe:[12]", "socket:[12]", "anon_inode:[eventfd]", ...
  std::string peer;    // the target of the other end, where it can be told
  int64_t pid;         // a pidfd's process, -1 once that is reaped; 0: no pidfd, or it can't be told
};

// Every open descriptor of the calling thread, in order. 0 or -errno.
int name_descriptors(std::vector<named_descriptor>& descriptors);

// A TCP socket's state, as netstat(8) names it in small letters; null: no TCP socket.
const char* tcp_state(int fd) noexcept;

// For sendmsg(2): no SIGPIPE. For recvmsg(2): FD_CLOEXEC on what arrives; 0 where there is no such flag.
extern const int send_flags;
extern const int receive_flags;

// The control message that brings the sender's pidfd, which nobody has asked for; -1 where there is none.
extern const int pidfd_message;

// Two connected sockets that keep messages apart, O_NONBLOCK and FD_CLOEXEC. 0 or -errno.
int message_pair(int ends[2]) noexcept;
// How many bytes such a message may have, and whether poll(2) tells when there is room for one.
extern const int message_limit;
extern const bool poll_tells_room;

// A file without a name, FD_CLOEXEC, or -errno.
int anonymous_file() noexcept;

// What send_flags can't do: keeps SIGPIPE from whoever sends by this socket.
void refuse_sigpipe(int socket) noexcept;

}  // namespace truefork::platform

#endif  // TRUEFORK_PLATFORM_PLATFORM_H_
