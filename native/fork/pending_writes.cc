#include "pending_writes.h"

namespace truefork::fork {

namespace {

size_t queued_bytes(uv_handle_t* handle) noexcept {
  switch (handle->type) {
    case UV_TCP:
    case UV_NAMED_PIPE:
    case UV_TTY:
      return uv_stream_get_write_queue_size(reinterpret_cast<uv_stream_t*>(handle));
    case UV_UDP:
      return uv_udp_get_send_queue_size(reinterpret_cast<uv_udp_t*>(handle));
    default:
      return 0;
  }
}

void look_at(uv_handle_t* handle, void* argument) {
  const size_t size = queued_bytes(handle);
  uv_os_fd_t fd = -1;
  if (size == 0 || uv_fileno(handle, &fd) != 0) return;
  static_cast<std::vector<pending_write>*>(argument)->push_back({fd, size});
}

}  // namespace

std::vector<pending_write> pending_writes(uv_loop_t* loop) {
  std::vector<pending_write> found;
  uv_walk(loop, look_at, &found);
  return found;
}

}  // namespace truefork::fork
