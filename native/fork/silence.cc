#include "silence.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include "../platform/exits.h"
#include "../platform/platform.h"

namespace truefork::fork {

namespace {

// libuv's queues are rings of two pointers: next, previous. Their type has had two names, so they are taken as this.
struct ring {
  ring* next;
  ring* previous;
};

template <typename Queue>
void unlink(Queue& queue) noexcept {
  static_assert(sizeof(Queue) == sizeof(ring));
  auto* const node = reinterpret_cast<ring*>(&queue);
  node->previous->next = node->next;
  node->next->previous = node->previous;
  node->next = node->previous = node;
}

// What uv__io_stop does, for every event at once: a round of the event loop that is under way skips it, too.
void stop_watching(uv_loop_t* loop, uv__io_t& watcher) noexcept {
  unlink(watcher.pending_queue);
  unlink(watcher.watcher_queue);
  watcher.pevents = 0;
  watcher.events = 0;
  if (watcher.fd < 0 || static_cast<unsigned>(watcher.fd) >= loop->nwatchers) return;
  if (loop->watchers[watcher.fd] != &watcher) return;
  loop->watchers[watcher.fd] = nullptr;
  --loop->nfds;
  platform::unwatch(loop->backend_fd, watcher.fd);
}

// The number stays taken, as the handle believes in it, by an empty epoll or kqueue: never ready, nothing to be read
// from it or written to it. Not /dev/null, which an event loop can't watch, and where all that is written succeeds.
void let_go(int fd, int quiet_fd) noexcept {
  if (fd > STDERR_FILENO && quiet_fd >= 0) platform::dup3(quiet_fd, fd, O_CLOEXEC);
}

struct walk {
  uv_loop_t* loop;
  int quiet_fd;
};

uv_timer_t* paused_timer = nullptr;

// There is no other way to it than the function that it calls.
bool is_nodes(const uv_timer_t* timer) noexcept {
  static void* const run_timers = dlsym(RTLD_DEFAULT, "_ZN4node11Environment9RunTimersEP10uv_timer_s");
  return run_timers == reinterpret_cast<void*>(timer->timer_cb);
}

unsigned count(const ring& list) noexcept {
  unsigned number = 0;
  for (const ring* node = list.next; node != &list; node = node->next) ++number;
  return number;
}

// Requests that nobody will answer any more, and how many they were.
template <typename Queue>
unsigned forget_requests(Queue& queue) noexcept {
  const unsigned number = count(*reinterpret_cast<ring*>(&queue));
  unlink(queue);
  return number;
}

template <typename Request>
unsigned forget_request(Request*& request) noexcept {
  const bool was_there = request != nullptr;
  request = nullptr;
  return was_there ? 1 : 0;
}

void silence_stream(uv_stream_t* stream, const walk& state) noexcept {
  uv_read_stop(stream);
  const int fd = stream->io_watcher.fd;
  stop_watching(state.loop, stream->io_watcher);
  if (stream->type != UV_TTY) let_go(fd, state.quiet_fd);
  // Whoever closes a server's handle removes its path.
  if (stream->type == UV_NAMED_PIPE) reinterpret_cast<uv_pipe_t*>(stream)->pipe_fname = nullptr;
  state.loop->active_reqs.count -= forget_requests(stream->write_queue) +
                                   forget_requests(stream->write_completed_queue) +
                                   forget_request(stream->connect_req) + forget_request(stream->shutdown_req);
  stream->write_queue_size = 0;
}

void silence_udp(uv_udp_t* udp, const walk& state) noexcept {
  uv_udp_recv_stop(udp);
  const int fd = udp->io_watcher.fd;
  stop_watching(state.loop, udp->io_watcher);
  let_go(fd, state.quiet_fd);
  state.loop->active_reqs.count -= forget_requests(udp->write_queue) + forget_requests(udp->write_completed_queue);
  udp->send_queue_size = 0;
  udp->send_queue_count = 0;
}

// What calls a MessagePort's listeners. Others are how threads reach the event loop, and stay.
uv_async_cb message_port_callback = nullptr;

// A port that couldn't tell of a message goes on with the next one, at each round of the event loop.
void silence_async(uv_async_t* async) noexcept {
  if (async->async_cb == message_port_callback) async->async_cb = [](uv_async_t* /*async*/) {};
}

void silence_handle(uv_handle_t* handle, const walk& state) noexcept {
  switch (handle->type) {
    case UV_TCP:
    case UV_NAMED_PIPE:
    case UV_TTY:
      silence_stream(reinterpret_cast<uv_stream_t*>(handle), state);
      break;
    case UV_UDP:
      silence_udp(reinterpret_cast<uv_udp_t*>(handle), state);
      break;
    case UV_POLL:
      uv_poll_stop(reinterpret_cast<uv_poll_t*>(handle));
      break;
    case UV_FS_EVENT:
      // Not uv_fs_event_stop: it would end the parent's watch, too, where the inotify is one for both.
      reinterpret_cast<uv_fs_event_t*>(handle)->cb = [](uv_fs_event_t* /*handle*/, const char* /*name*/, int /*events*/,
                                                        int /*status*/) {};
      break;
    case UV_FS_POLL:
      uv_fs_poll_stop(reinterpret_cast<uv_fs_poll_t*>(handle));
      break;
    case UV_PROCESS:
      // A brother that bears the pid of a child to come.
      unlink(reinterpret_cast<uv_process_t*>(handle)->queue);
      break;
    case UV_ASYNC:
      silence_async(reinterpret_cast<uv_async_t*>(handle));
      break;
    default:
      return;
  }
  uv_unref(handle);
}

// What the thread pool has done, and the event loop has not yet heard of.
void forget_finished_work(uv_loop_t* loop) {
  uv_mutex_lock(&loop->wq_mutex);
  loop->active_reqs.count -= forget_requests(loop->wq);
  uv_mutex_unlock(&loop->wq_mutex);
}

}  // namespace

void silence(uv_loop_t* loop) {
  forget_finished_work(loop);
  walk state{loop, platform::open_exit_watch()};
  const auto visit = [](uv_handle_t* handle, void* argument) {
    if (uv_is_closing(handle) == 0) silence_handle(handle, *static_cast<walk*>(argument));
  };
  uv_walk(loop, visit, &state);
  if (state.quiet_fd >= 0) close(state.quiet_fd);
}

bool know_message_ports(uv_loop_t* loop) noexcept {
  struct latest {
    uv_handle_t* handle;
    uv_handle_t* before;
  } latest{nullptr, nullptr};
  // libuv has them in the order of their making.
  const auto visit = [](uv_handle_t* handle, void* argument) {
    auto& latest = *static_cast<struct latest*>(argument);
    latest = {handle, latest.handle};
  };
  uv_walk(loop, visit, &latest);
  for (const uv_handle_t* handle : {latest.handle, latest.before}) {
    if (handle == nullptr || handle->type != UV_ASYNC) return false;
  }
  const uv_async_cb callback = reinterpret_cast<uv_async_t*>(latest.handle)->async_cb;
  if (callback == nullptr || callback != reinterpret_cast<uv_async_t*>(latest.before)->async_cb) return false;
  message_port_callback = callback;
  return true;
}

void pause_timers(uv_loop_t* loop) noexcept {
  const auto visit = [](uv_handle_t* handle, void* /*argument*/) {
    if (handle->type != UV_TIMER || uv_is_active(handle) == 0) return;
    auto* const timer = reinterpret_cast<uv_timer_t*>(handle);
    if (!is_nodes(timer)) return;
    uv_timer_stop(timer);
    paused_timer = timer;
  };
  uv_walk(loop, visit, nullptr);
}

void resume_timers() noexcept {
  if (paused_timer != nullptr) uv_timer_start(paused_timer, paused_timer->timer_cb, 0, 0);
  paused_timer = nullptr;
}

}  // namespace truefork::fork
