// What the child has in place of its parent's inspector sockets: nobody connects, and what a session of the parent's
// still writes is lost. Only its closing frame comes back: the inspector waits for an answer to it.
#include <fcntl.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "quiet.h"
#include "twins.h"

namespace truefork::fork {

namespace {

using quiet::system_call;

constexpr uint32_t word(const char (&text)[5]) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(text[i]);
  return value;
}

// Passes the one frame of two bytes, which closes, and the event {"method":"Debugger.paused", after a frame's head of 4
// or 10 bytes; RFC 6455. A reader that finds a message of its own takes the session down: that is right for the first,
// and for the second, as nobody will ever resume what stopped there. Whatever is dropped counts as sent; socket(7).
long drop_most(long fd) noexcept {
  constexpr uint32_t whole = 0xffffffff;
  sock_filter instructions[] = {
      {BPF_LD | BPF_W | BPF_LEN, 0, 0, 0},  {BPF_JMP | BPF_JEQ | BPF_K, 8, 0, 2},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 19}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 2, word("gger")},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 23}, {BPF_JMP | BPF_JEQ | BPF_K, 4, 5, word(".pau")},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 25}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, word("gger")},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 29}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, word(".pau")},
      {BPF_RET | BPF_K, 0, 0, whole},       {BPF_RET | BPF_K, 0, 0, 0},
  };
  const sock_fprog program{12, instructions};
  return system_call(SYS_setsockopt, fd, SOL_SOCKET, SO_ATTACH_FILTER, (long)&program, sizeof program);
}

// A datagram socket that is connected to itself; the kernel finds it a name, unix(7).
long make_echo() noexcept {
  const long fd = system_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socklen_t size = sizeof name;
  long failure = system_call(SYS_bind, fd, (long)&name, sizeof name.sun_family);
  if (failure == 0) failure = system_call(SYS_getsockname, fd, (long)&name, (long)&size);
  if (failure == 0) failure = system_call(SYS_connect, fd, (long)&name, size);
  if (failure == 0) failure = drop_most(fd);
  if (failure == 0) return fd;
  system_call(SYS_close, fd);
  return failure;
}

}  // namespace

bool serves_debugger(const descriptor_table& table, int fd) noexcept {
  if (table.debugger_endpoints.count == 0) return false;
  int type = 0;
  socklen_t size = sizeof type;
  system_call(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)&type, (long)&size);
  sockaddr_storage name{};
  size = sizeof name;
  if (type != SOCK_STREAM || system_call(SYS_getsockname, fd, (long)&name, (long)&size) != 0) return false;
  const endpoint own = to_endpoint(name);
  for (const endpoint& listening : table.debugger_endpoints) {
    if (is_served_by(listening, own)) return true;
  }
  return false;
}

descriptor_outcome twin_debugger_socket(descriptor_table& table, int fd) noexcept {
  const long replacement = make_echo();
  if (replacement < 0) return failed("socket", replacement);
  return add_twin(table, {fd, static_cast<int>(replacement), true, false});
}

}  // namespace truefork::fork
