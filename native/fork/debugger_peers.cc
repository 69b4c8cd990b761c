#include "debugger_peers.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace truefork::fork {

namespace {

using poll_list = std::vector<pollfd>;

constexpr std::string_view closing("\x88\0", 2);
constexpr std::string_view paused = R"({"method":"Debugger.paused")";

// A frame's head has 4 or 10 bytes where the rest is longer than 125; RFC 6455.
bool tells_of_pause(std::string_view frame) {
  const auto has_at = [frame](size_t head) {
    return frame.size() > head && frame.substr(head, paused.size()) == paused;
  };
  return has_at(4) || has_at(10);
}

// To a closing frame a debugger ends the connection. And it would never resume what its breakpoint has stopped before
// the child could close the session.
bool ends_session(std::string_view frame) { return frame == closing || tells_of_pause(frame); }

// Whether there is nothing more to come.
bool is_over(int fd) {
  for (;;) {
    char frame[64];
    const ssize_t size = recv(fd, frame, sizeof frame, MSG_DONTWAIT);
    if (size < 0) return errno != EAGAIN && errno != EINTR;
    if (size == 0 || ends_session({frame, static_cast<size_t>(size)})) return true;
  }
}

void* tend(void* argument) {
  const std::unique_ptr<poll_list> peers(static_cast<poll_list*>(argument));
  while (!peers->empty()) {
    poll(peers->data(), peers->size(), -1);
    const auto close_if_over = [](const pollfd& peer) { return is_over(peer.fd) && close(peer.fd) == 0; };
    peers->erase(std::remove_if(peers->begin(), peers->end(), close_if_over), peers->end());
  }
  return nullptr;
}

}  // namespace

void tend_debugger_peers(const std::vector<int>& peers) {
  if (peers.empty()) return;
  auto list = std::make_unique<poll_list>();
  for (const int fd : peers) list->push_back({fd, POLLIN, 0});

  sigset_t all;
  sigset_t previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  pthread_t thread;
  const int failure = pthread_create(&thread, nullptr, tend, list.get());
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  if (failure == 0) {
    pthread_detach(thread);
    static_cast<void>(list.release());  // the thread's now
    return;
  }
  // The sessions end now, and the inspector says on stderr that they do.
  for (const int fd : peers) close(fd);
}

}  // namespace truefork::fork
